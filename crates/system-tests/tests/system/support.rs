//! A whole system for one test.

use std::time::Duration;

use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::circle_query_service_client::CircleQueryServiceClient;
use test_support::judge::{self, Options};
use test_support::mysql::{Database, Engine};
use test_support::process::Service;
use test_support::redis::{self, RedisDatabase};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long a projector that is silent counts as working.
pub(crate) const LEASE: Duration = Duration::from_millis(500);

/// So that each service serves its metrics.
const METRICS: (&str, &str) = ("CIRCLES_METRICS_LISTEN", "127.0.0.1:0");

/// Where the log and the read models are, and how they are spread.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub(crate) mysql: String,
    pub(crate) redis: String,
    pub(crate) partitions: u16,
    /// The logical database for rebuilds.
    pub(crate) spare: u32,
    /// What else is set.
    pub(crate) settings: Vec<(&'static str, String)>,
}

impl Places {
    fn start(&self, name: &'static str, settings: &[(&str, &str)]) -> Service {
        let more = self
            .settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let settings: Vec<(&str, &str)> = settings.iter().copied().chain(more).collect();
        Service::start(name, &settings)
    }
}

/// The three services, on servers that are somebody else's. They end with this.
pub(crate) struct Services {
    pub(crate) command: Service,
    pub(crate) query: Service,
    pub(crate) projector: Service,
    pub(crate) places: Places,
}

impl Services {
    pub(crate) fn start(places: Places) -> Self {
        Self {
            command: start_command(&places, ANY_PORT),
            query: start_query(&places, ANY_PORT),
            projector: start_projector(&places),
            places,
        }
    }

    pub(crate) fn restart_projector(&mut self) {
        self.projector.kill();
        self.projector = start_projector(&self.places);
    }

    /// One more, which stands by.
    pub(crate) fn another_projector(&self) -> Service {
        start_projector(&self.places)
    }

    pub(crate) fn commands(&self) -> CircleCommandServiceClient<Channel> {
        CircleCommandServiceClient::new(channel(&self.command))
    }

    pub(crate) fn queries(&self) -> CircleQueryServiceClient<Channel> {
        CircleQueryServiceClient::new(channel(&self.query))
    }
}

/// Services, a log and read models of their own.
pub(crate) struct System {
    pub(crate) services: Services,
    pub(crate) log: Database,
    pub(crate) redis: RedisDatabase,
    _spare: RedisDatabase,
}

impl System {
    /// Starts everything, with the log on a server of this kind.
    pub(crate) async fn start(engine: Engine) -> Self {
        Self::start_with(engine, &[]).await
    }

    /// The same, with more settings for all services.
    pub(crate) async fn start_with(engine: Engine, settings: &[(&'static str, &str)]) -> Self {
        let log = Database::create(engine).await;
        let redis = RedisDatabase::fresh(redis::Engine::Redis);
        let spare = RedisDatabase::fresh(redis::Engine::Redis);
        let places = Places {
            mysql: log.url(),
            redis: redis.url(),
            partitions: 1,
            spare: spare.number(),
            settings: settings
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
        };
        Self {
            services: Services::start(places),
            log,
            redis,
            _spare: spare,
        }
    }

    /// Waits until the read models are what the log comes to.
    pub(crate) async fn assert_consistent(&self) {
        judge::assert_becomes_consistent(&self.log, &self.redis, &Options::default(), PATIENCE)
            .await;
    }
}

/// A port that is free.
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";

pub(crate) fn start_command(places: &Places, listen: &str) -> Service {
    places.start(
        "command-service",
        &[
            ("CIRCLES_MYSQL_URL", &places.mysql),
            ("CIRCLES_MIGRATE_AT_START", "true"),
            ("CIRCLES_COMMAND_LISTEN", listen),
            METRICS,
        ],
    )
}

pub(crate) fn start_query(places: &Places, listen: &str) -> Service {
    places.start(
        "query-service",
        &[
            ("CIRCLES_REDIS_URL", &places.redis),
            ("CIRCLES_REDIS_PARTITIONS", &places.partitions.to_string()),
            ("CIRCLES_QUERY_LISTEN", listen),
            METRICS,
        ],
    )
}

pub(crate) fn start_projector(places: &Places) -> Service {
    places.start(
        "projector",
        &[
            ("CIRCLES_MYSQL_URL", &places.mysql),
            ("CIRCLES_REDIS_URL", &places.redis),
            ("CIRCLES_REDIS_PARTITIONS", &places.partitions.to_string()),
            ("CIRCLES_REDIS_SPARE_DATABASE", &places.spare.to_string()),
            ("CIRCLES_PROJECTOR_LISTEN", ANY_PORT),
            METRICS,
            // Small pages, so that there are many moments to be killed in.
            ("CIRCLES_PROJECTOR_BATCH", "7"),
            (
                "CIRCLES_PROJECTOR_LEASE",
                &format!("{}ms", LEASE.as_millis()),
            ),
        ],
    )
}

/// Waits until a service's health is this.
pub(crate) async fn turns(service: &Service, to: ServingStatus) {
    let mut health = HealthClient::new(channel(service));
    let watching = health.watch(HealthCheckRequest::default()).await;
    let mut statuses = watching.unwrap().into_inner();
    let turned = async { while statuses.message().await.unwrap().unwrap().status() != to {} };
    tokio::time::timeout(PATIENCE, turned).await.unwrap();
}

pub(crate) fn channel(service: &Service) -> Channel {
    Endpoint::from_shared(format!("http://{}", service.address()))
        .unwrap()
        .connect_lazy()
}
