//! A whole system for one test.

use std::time::{Duration, Instant};

use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::circle_query_service_client::CircleQueryServiceClient;
use test_support::judge;
use test_support::mysql::{Database, Engine};
use test_support::process::Service;
use test_support::redis::{self, RedisDatabase};
use tonic::transport::{Channel, Endpoint};

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct System {
    pub(crate) log: Database,
    pub(crate) redis: RedisDatabase,
    pub(crate) command: Service,
    pub(crate) query: Service,
    pub(crate) projector: Service,
}

impl System {
    /// Starts everything, with the log on a server of this kind.
    pub(crate) async fn start(engine: Engine) -> Self {
        let log = Database::create(engine).await;
        let redis = RedisDatabase::fresh(redis::Engine::Redis);
        let command = Service::start(
            "command-service",
            &[
                ("CIRCLES_MYSQL_URL", &log.url()),
                ("CIRCLES_MIGRATE_AT_START", "true"),
                ("CIRCLES_COMMAND_LISTEN", "127.0.0.1:0"),
            ],
        );
        let query = Service::start(
            "query-service",
            &[
                ("CIRCLES_REDIS_URL", &redis.url()),
                ("CIRCLES_QUERY_LISTEN", "127.0.0.1:0"),
            ],
        );
        let projector = start_projector(&log, &redis);
        Self {
            log,
            redis,
            command,
            query,
            projector,
        }
    }

    pub(crate) fn restart_projector(&mut self) {
        self.projector.kill();
        self.projector = start_projector(&self.log, &self.redis);
    }

    pub(crate) fn commands(&self) -> CircleCommandServiceClient<Channel> {
        CircleCommandServiceClient::new(channel(&self.command))
    }

    pub(crate) fn queries(&self) -> CircleQueryServiceClient<Channel> {
        CircleQueryServiceClient::new(channel(&self.query))
    }

    /// Waits until the checkpoint is the head, and holds the read models against the log.
    pub(crate) async fn assert_consistent(&self) {
        let head = judge::count_events(&self.log).await;
        let deadline = Instant::now() + PATIENCE;
        let reached = format!("{{\"sequence\":{head},");
        while !self.redis.command(&["GET", "circles:checkpoint"])[0].starts_with(&reached) {
            assert!(
                Instant::now() < deadline,
                "the projector does not reach event {head}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        judge::assert_consistent(&self.log, &self.redis).await;
    }
}

fn start_projector(log: &Database, redis: &RedisDatabase) -> Service {
    Service::start(
        "projector",
        &[
            ("CIRCLES_MYSQL_URL", &log.url()),
            ("CIRCLES_REDIS_URL", &redis.url()),
            ("CIRCLES_PROJECTOR_LISTEN", "127.0.0.1:0"),
            // Small pages, so that there are many moments to be killed in.
            ("CIRCLES_PROJECTOR_BATCH", "7"),
        ],
    )
}

fn channel(service: &Service) -> Channel {
    Endpoint::from_shared(format!("http://{}", service.address()))
        .unwrap()
        .connect_lazy()
}

/// Calls again while the service is starting.
pub(crate) async fn when_ready<T, F>(call: impl Fn() -> F) -> T
where
    F: Future<Output = Result<tonic::Response<T>, tonic::Status>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Ok(response) => return response.into_inner(),
            Err(status) if status.code() == tonic::Code::Unavailable => {
                assert!(Instant::now() < deadline, "still not ready: {status}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(status) => panic!("{status}"),
        }
    }
}
