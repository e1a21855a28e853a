//! The service in this process, its clients, and what they ask.

use std::net::SocketAddr;

use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::circle_command_service_server::SERVICE_NAME;
use circles_proto::circles::v1::{
    CreateCircleRequest, CreateCircleResponse, DeleteCircleRequest, DeleteCircleResponse,
    UpdateCircleRequest, UpdateCircleResponse,
};
use command_service::config::Config;
use command_service::{RunError, run};
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
use uuid::Uuid;

pub(crate) type Client = CircleCommandServiceClient<Channel>;

/// A client that sends a deadline and leaves it to the service.
pub(crate) type ClientWithoutClock = CircleCommandServiceClient<HttpClient<Body>>;

/// A running service, and how to reach it.
pub(crate) struct Service {
    hosted: Hosted<RunError>,
    /// Where its metrics are.
    pub(crate) metrics: SocketAddr,
}

impl Service {
    /// Starts it, and does not wait for its database.
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

    /// Where it is, for a connection with settings of its own.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.hosted.address())).unwrap()
    }

    pub(crate) async fn channel(&self) -> Channel {
        soon(self.endpoint().connect()).await.unwrap()
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

    /// What the health service says of the commands.
    pub(crate) async fn health(&self) -> ServingStatus {
        let request = HealthCheckRequest {
            service: SERVICE_NAME.to_owned(),
        };
        let answer = soon(HealthClient::new(self.channel().await).check(request)).await;
        answer.unwrap().into_inner().status()
    }

    /// Waits until it is SERVING.
    pub(crate) async fn serving(&self) {
        let mut health = HealthClient::new(self.channel().await);
        let watching = health.watch(HealthCheckRequest::default());
        let mut statuses = soon(watching).await.unwrap().into_inner();
        while soon(statuses.message()).await.unwrap().unwrap().status() != ServingStatus::Serving {}
    }

    /// Tells it to stop, and leaves the waiting to [`Stopping::ended`].
    pub(crate) fn stop(self) -> Stopping<RunError> {
        self.hosted.stop()
    }

    /// Waits for an end that nobody asked for.
    pub(crate) async fn ended(self) -> Result<(), RunError> {
        self.hosted.ended().await
    }
}

/// A new id in its canonical form.
pub(crate) fn new_id() -> String {
    Uuid::now_v7().to_string()
}

pub(crate) fn create(name: &str, capacity: i32) -> CreateCircleRequest {
    CreateCircleRequest {
        name: name.to_owned(),
        capacity,
        ..CreateCircleRequest::default()
    }
}

pub(crate) fn rename(circle_id: &str, name: &str) -> UpdateCircleRequest {
    UpdateCircleRequest {
        circle_id: circle_id.to_owned(),
        name: Some(name.to_owned()),
        ..UpdateCircleRequest::default()
    }
}

pub(crate) fn resize(circle_id: &str, capacity: i32) -> UpdateCircleRequest {
    UpdateCircleRequest {
        circle_id: circle_id.to_owned(),
        capacity: Some(capacity),
        ..UpdateCircleRequest::default()
    }
}

pub(crate) fn delete(circle_id: &str) -> DeleteCircleRequest {
    DeleteCircleRequest {
        circle_id: circle_id.to_owned(),
        ..DeleteCircleRequest::default()
    }
}

/// What every command answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) circle_id: String,
    pub(crate) version: i32,
    pub(crate) sequence: i64,
}

macro_rules! into_answer {
    ($($response:ident),+) => {
        $(impl From<tonic::Response<$response>> for Answer {
            fn from(response: tonic::Response<$response>) -> Self {
                let $response { circle_id, version, sequence } = response.into_inner();
                Self { circle_id, version, sequence }
            }
        })+
    };
}

into_answer!(
    CreateCircleResponse,
    UpdateCircleResponse,
    DeleteCircleResponse
);
