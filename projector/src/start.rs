//! From a configuration to a running projector, and down again.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use circles_proto::FILE_DESCRIPTOR_SET;
use circles_proto::circles::admin::v1::projector_admin_service_server::{
    ProjectorAdminServiceServer, SERVICE_NAME,
};
use event_store::{EventStore, SetupError};
use read_model::{Connection, Projection};
use service_kit::health::Readiness;
use service_kit::program::chain;
use service_kit::server::{Server, ServerError};
use tokio::net::TcpListener;
use tonic::service::Routes;

use crate::admin::AdminService;
use crate::config::Config;
use crate::progress::{Latest, Progress, State};
use crate::project::{Projector, Step, StepError};

/// How long between two looks at a server that is not there yet.
const RETRY: Duration = Duration::from_secs(1);

/// How long after the first of several errors the projector tries again; later ones wait longer.
const FIRST_RETRY: Duration = Duration::from_millis(50);

/// How long a halted projector waits before it looks whether the damage was mended.
const HALTED: Duration = Duration::from_secs(5);

/// How long to stand back when another projector was faster.
const STAND_BACK: Duration = Duration::from_millis(100);

/// How long after the first look that found nothing the next one is; later ones wait longer.
const FIRST_IDLE: Duration = Duration::from_millis(1);

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
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "projector listens");
    }
    let progress = Latest::new(Progress::default());
    let store = Arc::new(OnceLock::new());
    let admin = AdminService {
        progress: progress.clone(),
        store: Arc::clone(&store),
    };
    let readiness = Readiness::new([SERVICE_NAME]);
    let server = Server::new(
        Routes::new(ProjectorAdminServiceServer::new(admin)),
        FILE_DESCRIPTOR_SET,
        readiness.clone(),
        config.server.clone(),
    )?;
    let opening = async {
        let projector = open(&config, &store).await?;
        let idle_delay = config.idle_delay;
        Ok::<_, RunError>(tokio::spawn(project(
            projector, idle_delay, progress, readiness,
        )))
    };
    let task = server
        .run_while_opening(listener, shutdown, opening)
        .await?;
    if let Some(task) = task {
        task.abort();
    }
    Ok(())
}

/// Waits for both servers.
async fn open(config: &Config, opened: &OnceLock<EventStore>) -> Result<Projector, RunError> {
    let store = loop {
        match connect(config).await {
            Ok(store) => break store,
            Err(error) if passes(&error) => {
                tracing::warn!(error = %chain(&error), "the log is not ready; waiting");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error.into()),
        }
    };
    // Nobody else sets it.
    let _ = opened.set(store.clone());
    let redis = Connection::open(&read_model::Config::new(config.redis.expose()))?;
    redis
        .connected()
        .await
        .map_err(read_model::SetupError::Redis)?;
    redis.require_noeviction().await?;
    Ok(Projector::new(store, Projection::new(redis), config.batch))
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

/// The loop around [`Projector::step`]: it only decides how long to wait.
async fn project(
    mut projector: Projector,
    idle_delay: Duration,
    progress: Latest,
    readiness: Readiness,
) {
    let mut idle = FIRST_IDLE;
    let mut retry = FIRST_RETRY;
    loop {
        let result = projector.step().await;
        report(&progress, &result);
        readiness.set(progress.borrow().state != State::Halted);
        let delay = match result {
            Ok(Step::Applied { .. }) => {
                idle = FIRST_IDLE;
                Duration::ZERO
            }
            Ok(Step::Idle { .. }) => {
                let delay = idle;
                idle = (idle * 2).min(idle_delay);
                delay
            }
            Ok(Step::Superseded) => STAND_BACK,
            Err(ref error) if error.is_transient() => {
                let delay = retry;
                retry = (retry * 2).min(RETRY);
                delay
            }
            Err(_) => HALTED,
        };
        if result.is_ok() {
            retry = FIRST_RETRY;
        }
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }
}

fn report(progress: &Latest, result: &Result<Step, StepError>) {
    progress.send_modify(|progress| {
        let (state, problem) = match result {
            Ok(_) => (State::Running, String::new()),
            Err(error) if error.is_transient() => (State::Retrying, error.to_string()),
            Err(error) => (State::Halted, error.to_string()),
        };
        match result {
            Ok(Step::Applied { events, checkpoint }) => {
                progress.checkpoint = *checkpoint;
                progress.applied += *events as u64;
            }
            Ok(Step::Idle { checkpoint }) => progress.checkpoint = *checkpoint,
            Ok(Step::Superseded) => {
                tracing::warn!("another projector is at work, or Redis has lost something")
            }
            Err(error) if state == State::Halted => {
                tracing::error!(error = %chain(error), "halted: this must be mended");
            }
            Err(error) => tracing::warn!(error = %chain(error), "trying again"),
        }
        if progress.state != state {
            tracing::info!(?state, "state turned");
        }
        progress.state = state;
        progress.problem = problem;
    });
}
