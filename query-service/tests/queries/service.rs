//! The service in this process, and its clients.

use std::net::SocketAddr;
use std::time::Duration;

use circles_proto::circles::v1::circle_query_service_client::CircleQueryServiceClient;
use circles_proto::circles::v1::circle_query_service_server::SERVICE_NAME;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use query_service::config::Config;
use query_service::{RunError, run};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// Much longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type Client = CircleQueryServiceClient<Channel>;

/// A client that sends a deadline and leaves it to the service.
pub(crate) type ClientWithoutClock = CircleQueryServiceClient<HttpClient<HttpConnector, Body>>;

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
    /// Starts it, and does not wait for its Redis.
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

    async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        soon(endpoint.connect()).await.unwrap()
    }

    /// A client with a connection of its own.
    pub(crate) async fn client(&self) -> Client {
        Client::new(self.channel().await)
    }

    /// The usual client measures a deadline too, and gives up by itself.
    pub(crate) fn client_without_clock(&self) -> ClientWithoutClock {
        let mut connector = HttpConnector::new();
        // Or the body of a request comes 40 ms after its head, which starts the deadline.
        connector.set_nodelay(true);
        let http = HttpClient::builder(TokioExecutor::new())
            .http2_only(true)
            .build(connector);
        let origin = format!("http://{}", self.address).parse().unwrap();
        ClientWithoutClock::with_origin(http, origin)
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
}

/// A service that was told to stop.
pub(crate) struct Stopping(oneshot::Receiver<Result<(), RunError>>);

impl Stopping {
    pub(crate) async fn ended(self) {
        soon(self.0).await.unwrap().unwrap();
    }
}
