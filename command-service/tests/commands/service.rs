//! The service in this process, its clients, and what they ask.

use std::net::SocketAddr;
use std::time::Duration;

use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::circle_command_service_server::SERVICE_NAME;
use circles_proto::circles::v1::{
    CreateCircleRequest, CreateCircleResponse, DeleteCircleRequest, DeleteCircleResponse,
    UpdateCircleRequest, UpdateCircleResponse,
};
use command_service::config::Config;
use command_service::{RunError, run};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use uuid::Uuid;

/// Much longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type Client = CircleCommandServiceClient<Channel>;

/// Fails the test rather than wait for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it takes too long")
}

/// A running service, on a thread and a runtime of its own, as a process would have them.
pub(crate) struct Service {
    address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    end: oneshot::Receiver<Result<(), RunError>>,
}

impl Service {
    /// Starts it, and does not wait for its database.
    pub(crate) fn start(config: Config) -> Self {
        let listener = std::net::TcpListener::bind(config.listen).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, told) = oneshot::channel::<()>();
        let (ended, end) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let result = runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                // The sender is dropped with the test, at the latest.
                run(config, listener, async { drop(told.await) }).await
            });
            let _ = ended.send(result);
        });
        Self {
            address,
            shutdown,
            end,
        }
    }

    /// Where it is, for a connection with settings of its own.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap()
    }

    pub(crate) async fn channel(&self) -> Channel {
        soon(self.endpoint().connect()).await.unwrap()
    }

    /// A client with a connection of its own.
    pub(crate) async fn client(&self) -> Client {
        Client::new(self.channel().await)
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
    pub(crate) fn stop(self) -> Stopping {
        self.shutdown.send(()).unwrap();
        Stopping(self.end)
    }

    /// Waits for an end that nobody asked for.
    pub(crate) async fn ended(self) -> Result<(), RunError> {
        soon(self.end).await.unwrap()
    }
}

/// A service that was told to stop.
pub(crate) struct Stopping(oneshot::Receiver<Result<(), RunError>>);

impl Stopping {
    pub(crate) async fn ended(self) {
        soon(self.0).await.unwrap().unwrap();
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
