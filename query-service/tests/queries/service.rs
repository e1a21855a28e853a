//! The service in this process, and its clients.

use std::net::SocketAddr;

use circles_proto::circles::v1::circle_query_service_client::CircleQueryServiceClient;
use circles_proto::circles::v1::circle_query_service_server::SERVICE_NAME;
use query_service::config::Config;
use query_service::{RunError, run};
use service_kit::listeners::Listeners;
pub(crate) use test_support::hosted::{Hosted, Stopping, soon};
use test_support::metrics;
use test_support::without_clock::{self, HttpClient};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

pub(crate) type Client = CircleQueryServiceClient<Channel>;

/// A client that sends a deadline and leaves it to the service.
pub(crate) type ClientWithoutClock = CircleQueryServiceClient<HttpClient<Body>>;

/// A running service, and how to reach it.
pub(crate) struct Service {
    hosted: Hosted<RunError>,
    /// Where its metrics are.
    pub(crate) metrics: SocketAddr,
}

impl Service {
    /// Starts it, and does not wait for its Redis.
    pub(crate) fn start(config: Config) -> Self {
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
        Self { hosted, metrics }
    }

    async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.hosted.address())).unwrap();
        soon(endpoint.connect()).await.unwrap()
    }

    /// A client with a connection of its own.
    pub(crate) async fn client(&self) -> Client {
        Client::new(self.channel().await)
    }

    /// The usual client measures a deadline too, and gives up by itself.
    pub(crate) fn client_without_clock(&self) -> ClientWithoutClock {
        let origin = format!("http://{}", self.hosted.address()).parse().unwrap();
        ClientWithoutClock::with_origin(without_clock::client(), origin)
    }

    /// What the health service says of the queries.
    pub(crate) async fn health(&self) -> ServingStatus {
        let request = HealthCheckRequest {
            service: SERVICE_NAME.to_owned(),
        };
        let answer = soon(HealthClient::new(self.channel().await).check(request)).await;
        answer.unwrap().into_inner().status()
    }

    /// Waits until it is SERVING.
    pub(crate) async fn serving(&self) {
        self.turns(ServingStatus::Serving).await;
    }

    /// Waits until its health is this.
    pub(crate) async fn turns(&self, to: ServingStatus) {
        let mut health = HealthClient::new(self.channel().await);
        let watching = health.watch(HealthCheckRequest::default());
        let mut statuses = soon(watching).await.unwrap().into_inner();
        while soon(statuses.message()).await.unwrap().unwrap().status() != to {}
    }

    /// Tells it to stop, and leaves the waiting to [`Stopping::ended`].
    pub(crate) fn stop(self) -> Stopping<RunError> {
        self.hosted.stop()
    }
}
