//! A projector as a service, beside a [`World`].

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use circles_proto::circles::admin::v1::projector_admin_service_client::ProjectorAdminServiceClient;
use circles_proto::circles::admin::v1::{GetStatusRequest, GetStatusResponse, ProjectorState};
use projector::config::Config;
use projector::{RunError, run};
use service_kit::listeners::Listeners;
use test_support::hosted::Hosted;
use test_support::metrics;
use test_support::redis::{self, RedisDatabase};
use tokio::net::TcpListener;
use tonic::transport::Channel;

use crate::support::World;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a projector of a test that is silent counts as working.
pub(crate) const LEASE: Duration = Duration::from_millis(600);

pub(crate) struct Served {
    pub(crate) hosted: Hosted<RunError>,
    /// Where its metrics are.
    pub(crate) metrics: SocketAddr,
    pub(crate) admin: ProjectorAdminServiceClient<Channel>,
    /// Where it rebuilds.
    pub(crate) spare: RedisDatabase,
}

impl Served {
    pub(crate) async fn start(world: &World) -> Self {
        Self::with(world, |_| {}).await
    }

    pub(crate) async fn with(world: &World, change: impl FnOnce(&mut Config)) -> Self {
        let spare = RedisDatabase::fresh(redis::Engine::Redis);
        let mut config = Config::new(&world.database.url(), &world.redis.url());
        config.spare_database = u8::try_from(spare.number()).unwrap();
        config.lease = LEASE;
        config.audit_rate = 0;
        change(&mut config);
        let socket = metrics::socket();
        let metrics = socket.local_addr().unwrap();
        let hosted = Hosted::start(config.listen, |grpc, shutdown| {
            let metrics = Some(TcpListener::from_std(socket).unwrap());
            let listeners = Listeners {
                metrics,
                ..grpc.into()
            };
            run(config, listeners, shutdown)
        });
        let admin = ProjectorAdminServiceClient::connect(format!("http://{}", hosted.address()))
            .await
            .unwrap();
        Self {
            hosted,
            metrics,
            admin,
            spare,
        }
    }

    /// What it tells, once it has reached its servers.
    pub(crate) async fn status(&mut self) -> GetStatusResponse {
        let begun = Instant::now();
        loop {
            match self.admin.get_status(GetStatusRequest {}).await {
                Ok(status) => return status.into_inner(),
                Err(status) => assert!(begun.elapsed() < PATIENCE, "{status:?}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until it tells something.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        holds: impl Fn(&GetStatusResponse) -> bool,
    ) -> GetStatusResponse {
        let begun = Instant::now();
        loop {
            let status = self.status().await;
            if holds(&status) {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "in vain: {what}: {status:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until it works and has applied the whole log.
    pub(crate) async fn caught_up(&mut self) -> GetStatusResponse {
        self.until("caught up", |status| {
            status.state() == ProjectorState::Running && status.lag_events == 0
        })
        .await
    }
}
