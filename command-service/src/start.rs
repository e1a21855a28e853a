//! From a configuration to a running service, and down again.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use circles_proto::FILE_DESCRIPTOR_SET;
use circles_proto::circles::v1::circle_command_service_server::{
    CircleCommandServiceServer, SERVICE_NAME,
};
use event_store::{EventStore, Figures, MigrateError, SetupError, Writer, WriterTask, migrate};
use service_kit::auth::Scope;
use service_kit::calls::Calls;
use service_kit::health::Readiness;
use service_kit::listeners::Listeners;
use service_kit::metrics::Metrics;
use service_kit::program::chain;
use service_kit::server::{MAX_MESSAGE_SIZE, Server, ServerError};
use tokio::time::timeout;
use tonic::service::Routes;

use crate::commands::Commands;
use crate::config::Config;
use crate::failure::DOMAIN;
use crate::grpc::CommandService;
use crate::metrics::{self, Batches};

/// What a token has to grant, where tokens are asked for.
const WRITE: Scope = Scope::new("circles.write");

/// How long between two looks at a database that is not there yet.
const RETRY: Duration = Duration::from_secs(1);

/// Why the service ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The gRPC server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The database can't be used as it is set up.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The tables could not be made.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

/// Serves on `listeners` until `shutdown`, then drains: running calls end, and everything that
/// was queued is in the log, unless MySQL does not answer. That takes the drain timeout and the writer's patience at most.
///
/// The health service answers at once; it turns to SERVING when the database is there.
///
/// # Errors
///
/// [`RunError`]. A database that is missing is none: it is waited for.
pub async fn run(
    config: Config,
    listeners: impl Into<Listeners>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let listeners = listeners.into();
    if let Ok(address) = listeners.grpc.local_addr() {
        tracing::info!(%address, "command-service listens");
    }
    let metrics = Metrics::new();
    let figures = Arc::new(OnceLock::new());
    metrics::read(&metrics, &config.writer, Arc::clone(&figures));
    let commands = Arc::new(OnceLock::new());
    let opening = open(
        &config,
        Arc::clone(&commands),
        Batches::new(&metrics),
        figures,
    );
    let readiness = Readiness::new([SERVICE_NAME]);
    let service = CommandService::new(commands, readiness.clone());
    let service =
        CircleCommandServiceServer::new(service).max_decoding_message_size(MAX_MESSAGE_SIZE);
    let server = Server::new(
        Routes::new(Calls::new(
            service,
            DOMAIN,
            WRITE,
            FILE_DESCRIPTOR_SET,
            &config.server,
        )?),
        FILE_DESCRIPTOR_SET,
        readiness,
        config.server.clone(),
    )?
    .with_metrics(metrics);
    let task = server
        .run_while_opening(listeners, shutdown, opening)
        .await?;
    // The server has dropped the service, and with it the writer: what is queued comes to its end.
    // Unless MySQL does not answer, or a call outlived the drain, which still holds the writer.
    if let Some(task) = task
        && timeout(config.writer.patience, task.finished())
            .await
            .is_err()
    {
        tracing::warn!(
            "the writer has not come to its end in time; what was queued may not be done"
        );
    }
    Ok(())
}

/// Waits for the database, and hands over the commands.
async fn open(
    config: &Config,
    commands: Arc<OnceLock<Commands>>,
    batches: Batches,
    figures: Arc<OnceLock<Figures>>,
) -> Result<WriterTask, RunError> {
    let store = loop {
        match connect(config).await {
            Ok(store) => break store,
            Err(error) if passes(&error) => {
                tracing::warn!(error = %chain(&error), "the database is not ready; waiting");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error),
        }
    };
    let observe = move |batch| batches.observe(batch);
    let (writer, task) = Writer::start_observed(store.clone(), config.writer.clone(), observe);
    // Nobody else sets them.
    let _ = figures.set(writer.figures());
    let _ = commands.set(Commands::new(store, writer));
    Ok(task)
}

async fn connect(config: &Config) -> Result<EventStore, RunError> {
    if config.migrate_at_start {
        migrate(config.mysql.expose()).await?;
    }
    let store = EventStore::connect(&event_store::Config {
        // One is the writer's own.
        max_connections: (config.mysql_connections - 1).max(1),
        ..event_store::Config::new(config.mysql.expose())
    })
    .await?;
    store.require_migrated().await?;
    match store.require_durable().await {
        Err(SetupError::Unsafe(setting)) if config.allow_unsafe_mysql => {
            tracing::warn!(%setting, "acknowledged commands may be lost in a crash of MySQL");
        }
        other => other?,
    }
    Ok(store)
}

/// Whether the trouble can end without a change of this process's configuration.
fn passes(error: &RunError) -> bool {
    match error {
        RunError::Setup(SetupError::NotMigrated { .. })
        | RunError::Migrate(MigrateError::Locked) => true,
        RunError::Setup(SetupError::Store(error))
        | RunError::Migrate(MigrateError::Store(error)) => error.is_transient(),
        _ => false,
    }
}
