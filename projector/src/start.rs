//! From a configuration to a running projector, and down again.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use circles_proto::FILE_DESCRIPTOR_SET;
use circles_proto::circles::admin::v1::projector_admin_service_server::{
    ProjectorAdminServiceServer, SERVICE_NAME,
};
use event_store::{EventStore, SetupError};
use read_model::{Connection, Lease, partitions};
use service_kit::auth::Scope;
use service_kit::calls::Calls;
use service_kit::health::Readiness;
use service_kit::listeners::Listeners;
use service_kit::metrics::Metrics;
use service_kit::program::chain;
use service_kit::server::{MAX_MESSAGE_SIZE, Server, ServerError};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tonic::service::Routes;
use uuid::Uuid;

use crate::admin::{AdminService, Opened};
use crate::audit;
use crate::config::Config;
use crate::failure::DOMAIN;
use crate::lead::{Leader, keep_lease};
use crate::metrics;
use crate::order::Orders;
use crate::progress::{Latest, Progress};
use crate::project::{IN_MEMORY, Options, Projector};
use crate::rebuild::Rebuilds;
use crate::spare::Place;

/// What a token has to grant, where tokens are asked for.
const ADMIN: Scope = Scope::new("circles.admin");

/// How long between two looks at a server that is not there yet.
const RETRY: Duration = Duration::from_secs(1);

/// Why the projector ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The gRPC server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// MySQL can't be used as it is set up.
    #[error(transparent)]
    Log(#[from] SetupError),
    /// Redis can't be used as it is set up.
    #[error(transparent)]
    ReadModel(#[from] read_model::SetupError),
}

/// Projects until `shutdown`. A page that is being applied then is applied whole or not at all.
///
/// # Errors
///
/// [`RunError`]. A server that is missing is none: it is waited for.
pub async fn run(
    config: Config,
    listeners: impl Into<Listeners>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let listeners = listeners.into();
    if let Ok(address) = listeners.grpc.local_addr() {
        tracing::info!(%address, "projector listens");
    }
    let progress = Latest::new(Progress::default());
    let opened = Arc::new(OnceLock::new());
    let metrics = Metrics::new();
    metrics::read(&metrics, progress.clone(), Arc::clone(&opened));
    let readiness = Readiness::new([SERVICE_NAME]);
    let admin = AdminService {
        progress: progress.clone(),
        opened: Arc::clone(&opened),
        readiness: readiness.clone(),
    };
    let server = Server::new(
        Routes::new(Calls::new(
            ProjectorAdminServiceServer::new(admin).max_decoding_message_size(MAX_MESSAGE_SIZE),
            DOMAIN,
            ADMIN,
            FILE_DESCRIPTOR_SET,
            &config.server,
        )?),
        FILE_DESCRIPTOR_SET,
        readiness.clone(),
        config.server.clone(),
    )?
    .with_metrics(metrics);
    let opening = async {
        let log = open_log(&config).await?;
        let redis = open_read_models(&config).await?;
        Ok::<_, RunError>(Tasks::start(
            &config, log, redis, &opened, progress, readiness,
        ))
    };
    let tasks = server
        .run_while_opening(listeners, shutdown, opening)
        .await?;
    if let Some(tasks) = tasks {
        tasks.stop().await;
    }
    Ok(())
}

/// All that runs besides the gRPC server.
struct Tasks {
    leader: AbortOnDropHandle<()>,
    audit: AbortOnDropHandle<()>,
    lease: AbortOnDropHandle<()>,
}

impl Tasks {
    fn start(
        config: &Config,
        log: EventStore,
        redis: Connection,
        opened: &OnceLock<Opened>,
        progress: Latest,
        readiness: Readiness,
    ) -> Self {
        let holder = Uuid::now_v7().to_string();
        let partitions: Vec<_> = partitions(&redis)
            .into_iter()
            .map(|partition| partition.keeping(config.changes_kept))
            .collect();
        let (orders, received) = Orders::channel();
        let options = Options {
            holder: holder.clone(),
            batch: config.batch,
            completes: true,
            in_memory: IN_MEMORY,
        };
        let projector = Projector::new(log.clone(), partitions.clone(), redis.layout(), options);
        let lease = Lease::new(partitions[0].clone(), holder.clone(), config.lease);
        let (ours, leads) = watch::channel(false);
        let leader = Leader {
            projector,
            leads,
            orders: received,
            idle_delay: config.idle_delay,
            progress: progress.clone(),
            readiness,
        };
        let place = Place {
            live: redis,
            database: config.spare_database,
            changes_kept: config.changes_kept,
            lease: config.lease,
        };
        let rebuilds = Rebuilds::new(log.clone(), place, holder, orders.clone());
        // Nobody else sets it.
        let _ = opened.set(Opened {
            log: log.clone(),
            partitions: partitions.clone(),
            orders: orders.clone(),
            rebuilds: rebuilds.clone(),
        });
        let lease = keep_lease(lease, config.lease, ours, progress.clone());
        let audit = audit::in_background(
            log,
            partitions,
            orders,
            rebuilds,
            progress,
            config.audit_rate,
        );
        Self {
            leader: AbortOnDropHandle::new(tokio::spawn(leader.run())),
            audit: AbortOnDropHandle::new(tokio::spawn(audit)),
            lease: AbortOnDropHandle::new(tokio::spawn(lease)),
        }
    }

    /// Stops working, then gives the lease back. A page that is being applied is applied whole or
    /// not at all.
    async fn stop(self) {
        drop(self.audit);
        // With the leader goes whoever asks for the lease.
        self.leader.abort();
        let _ = self.leader.await;
        let _ = tokio::time::timeout(RETRY, self.lease).await;
    }
}

/// Waits for MySQL, and for its tables.
async fn open_log(config: &Config) -> Result<EventStore, RunError> {
    loop {
        match connect(config).await {
            Ok(log) => return Ok(log),
            Err(error) if passes(&error) => {
                tracing::warn!(error = %chain(&error), "the log is not ready; waiting");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits for Redis.
async fn open_read_models(config: &Config) -> Result<Connection, RunError> {
    let mut redis = read_model::Config::new(config.redis.expose());
    redis.partitions = config.partitions;
    let redis = Connection::open(&redis)?;
    loop {
        redis
            .connected()
            .await
            .map_err(read_model::SetupError::Redis)?;
        match redis.require_noeviction().await {
            // It has gone again, between the two.
            Err(read_model::SetupError::Redis(error)) if error.is_transient() => {
                tracing::warn!(error = %chain(&error), "Redis is not ready; waiting");
                tokio::time::sleep(RETRY).await;
            }
            other => {
                other?;
                return Ok(redis);
            }
        }
    }
}

async fn connect(config: &Config) -> Result<EventStore, SetupError> {
    let store = EventStore::connect(&event_store::Config::new(config.mysql.expose())).await?;
    store.require_migrated().await?;
    Ok(store)
}

fn passes(error: &SetupError) -> bool {
    match error {
        SetupError::NotMigrated { .. } => true,
        SetupError::Store(error) => error.is_transient(),
        SetupError::Url | SetupError::Unsafe(_) => false,
    }
}
