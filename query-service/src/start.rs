//! From a configuration to a running service, and down again.

use circles_proto::FILE_DESCRIPTOR_SET;
use circles_proto::circles::v1::circle_query_service_server::{
    CircleQueryServiceServer, SERVICE_NAME,
};
use read_model::{Connection, Feed, Follower, Reader, SetupError};
use service_kit::auth::Scope;
use service_kit::calls::Calls;
use service_kit::health::Readiness;
use service_kit::listeners::Listeners;
use service_kit::metrics::Metrics;
use service_kit::server::{MAX_MESSAGE_SIZE, Server, ServerError};
use tokio_util::task::AbortOnDropHandle;
use tonic::service::Routes;

use crate::config::Config;
use crate::failure::DOMAIN;
use crate::freshness::Freshness;
use crate::grpc::QueryService;
use crate::metrics::{self, Waits};
use crate::queries::Queries;

/// What a token has to grant, where tokens are asked for.
const READ: Scope = Scope::new("circles.read");

/// Why the service ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The gRPC server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Redis can't be used as it is set up.
    #[error(transparent)]
    ReadModel(#[from] SetupError),
}

/// Serves on `listeners` until `shutdown`, then lets running calls end.
///
/// The health service answers at once; it turns to SERVING when Redis is there, and turns with the read model's age
/// where that has a limit.
///
/// # Errors
///
/// [`RunError`]. A Redis that is missing is none: it is waited for.
pub async fn run(
    config: Config,
    listeners: impl Into<Listeners>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let listeners = listeners.into();
    if let Ok(address) = listeners.grpc.local_addr() {
        tracing::info!(%address, "query-service listens");
    }
    let mut redis = read_model::Config::new(config.redis.expose());
    redis.pool_size = config.redis_connections;
    redis.partitions = config.redis_partitions;
    let redis = Connection::open(&redis)?;
    let follower = Follower::start(redis.clone())?;
    let feed = Feed::start(&redis, &follower, config.watch);
    let reader = Reader::new(redis.clone());
    let metrics = Metrics::new();
    metrics::read(&metrics, reader.clone(), redis.clone(), feed.counter());
    let freshness = config
        .max_lag
        .map(|max_lag| Freshness::new(reader.clone(), max_lag));
    let queries = Queries::new(reader, follower, config.max_wait, Waits::new(&metrics));
    let readiness = Readiness::new([SERVICE_NAME]);
    let service = QueryService::new(queries, feed, readiness.clone());
    let service =
        CircleQueryServiceServer::new(service).max_decoding_message_size(MAX_MESSAGE_SIZE);
    let server = Server::new(
        Routes::new(Calls::new(
            service,
            DOMAIN,
            READ,
            FILE_DESCRIPTOR_SET,
            &config.server,
        )?),
        FILE_DESCRIPTOR_SET,
        readiness.clone(),
        config.server,
    )?
    .with_metrics(metrics);
    let opening = async {
        redis.connected().await.map_err(SetupError::Redis)?;
        let mut freshness = freshness;
        if let Some(freshness) = &mut freshness {
            freshness.reached().await;
        }
        let keeps = freshness.map(|it| AbortOnDropHandle::new(tokio::spawn(it.keep(readiness))));
        Ok::<_, RunError>(keeps)
    };
    server
        .run_while_opening(listeners, shutdown, opening)
        .await?;
    Ok(())
}
