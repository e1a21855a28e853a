//! A server to test with, and a service whose calls last as long as the test wants.

use std::{
    convert::Infallible,
    future,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use prost::Message as _;
use prost_types::{
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};
use service_kit::{
    auth::Scope,
    calls::Calls,
    health::Readiness,
    listeners::Listeners,
    server::{Drain, Options, Server, ServerError},
    status::Domain,
};
pub(crate) use test_support::hosted::soon;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, oneshot},
    task::JoinHandle,
};
use tonic::{
    Code, Request, Status,
    body::Body,
    codegen::{BoxFuture, Service, http},
    server::NamedService,
    service::Routes,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};

/// Longer than anything here takes, shorter than anybody waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How many calls of [`Slow`] there may be at a time.
pub(crate) const MAX_CALLS: usize = 2;

/// How many of its streams.
pub(crate) const MAX_STREAMS: usize = 1;

/// What a token has to grant for calls of [`Slow`].
pub(crate) const SCOPE: &str = "test.slow";

/// Answers calls of `Call` with ABORTED once they are released, and others, of which `Watch` is a stream, with a text at
/// once.
#[derive(Clone)]
pub(crate) struct Slow {
    /// One permit per call that has come in.
    pub(crate) entered: Arc<Semaphore>,
    /// One permit per call that may end.
    pub(crate) released: Arc<Semaphore>,
}

impl Slow {
    pub(crate) fn new() -> Self {
        Self {
            entered: Arc::new(Semaphore::new(0)),
            released: Arc::new(Semaphore::new(0)),
        }
    }
}

impl NamedService for Slow {
    const NAME: &'static str = "test.v1.Slow";
}

impl Service<http::Request<Body>> for Slow {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != CALL {
            let answer = http::Response::new(Body::new("a text".to_owned()));
            return Box::pin(future::ready(Ok(answer)));
        }
        let slow = self.clone();
        Box::pin(async move {
            slow.entered.add_permits(1);
            slow.released.acquire().await.unwrap().forget();
            Ok(Status::aborted("released").into_http())
        })
    }
}

/// A running server, and what it takes to stop it.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// Where the health alone is.
    pub(crate) health: SocketAddr,
    /// Where its metrics are.
    pub(crate) metrics: SocketAddr,
    pub(crate) readiness: Readiness,
    pub(crate) slow: Slow,
    shutdown: oneshot::Sender<()>,
    server: JoinHandle<Result<Drain, ServerError>>,
}

pub(crate) async fn start(drain_timeout: Duration) -> Running {
    start_with(Options {
        drain_timeout,
        ..Options::default()
    })
    .await
}

/// With these options, but for the numbers of calls and streams, which are [`MAX_CALLS`] and [`MAX_STREAMS`].
pub(crate) async fn start_with(options: Options) -> Running {
    let options = Options {
        max_calls: MAX_CALLS,
        max_streams: MAX_STREAMS,
        ..options
    };
    let (grpc, address) = listen().await;
    let (health, health_address) = listen().await;
    let (metrics, metrics_address) = listen().await;
    let listeners = Listeners {
        grpc,
        health: Some(health),
        metrics: Some(metrics),
    };
    let readiness = Readiness::new([Slow::NAME]);
    let slow = Slow::new();
    let server = Server::new(
        Routes::new(calls(slow.clone(), &options)),
        tonic_types::pb::FILE_DESCRIPTOR_SET,
        readiness.clone(),
        options,
    )
    .unwrap();
    let (shutdown, told) = oneshot::channel();
    let server = tokio::spawn(server.run(listeners, async {
        let _ = told.await;
    }));
    Running {
        address,
        health: health_address,
        metrics: metrics_address,
        readiness,
        slow,
        shutdown,
        server,
    }
}

/// Around [`Slow`], for whoever has a token for [`SCOPE`], where tokens are asked for.
pub(crate) fn calls(slow: Slow, options: &Options) -> Calls<Slow> {
    let (domain, scope) = (Domain::new("test.v1"), Scope::new(SCOPE));
    Calls::new(slow, domain, scope, &description(), options).unwrap()
}

/// What [`Slow`] has.
fn description() -> Vec<u8> {
    let watch = MethodDescriptorProto {
        name: Some("Watch".to_owned()),
        server_streaming: Some(true),
        ..MethodDescriptorProto::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("Slow".to_owned()),
        method: vec![watch],
        ..ServiceDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        package: Some("test.v1".to_owned()),
        service: vec![service],
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

impl Running {
    pub(crate) async fn connect(&self) -> Channel {
        connect(self.address).await
    }

    /// A call that lasts until it is released. Returns once the server has it.
    pub(crate) async fn slow_call(&self, channel: Channel) -> JoinHandle<Status> {
        let call = tokio::spawn(call_slow(
            channel,
            Request::new(HealthCheckRequest::default()),
        ));
        soon(self.slow.entered.acquire()).await.unwrap().forget();
        call
    }

    /// Tells the server to stop. Returns what tells how it went.
    pub(crate) fn stop(self) -> JoinHandle<Result<Drain, ServerError>> {
        self.shutdown.send(()).unwrap();
        self.server
    }
}

pub(crate) async fn connect(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    soon(endpoint.connect()).await.unwrap()
}

/// A call of [`Slow`] that never succeeds.
pub(crate) const CALL: &str = "/test.v1.Slow/Call";

/// Calls [`CALL`].
pub(crate) async fn call_slow(channel: Channel, request: Request<HealthCheckRequest>) -> Status {
    call(channel, CALL, request).await
}

/// Calls [`Slow`], which tells nothing that this could read.
pub(crate) async fn call(
    channel: Channel,
    path: &'static str,
    request: Request<HealthCheckRequest>,
) -> Status {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static(path);
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
    client
        .unary(request, path, codec)
        .await
        .expect_err("it never succeeds")
}

pub(crate) async fn health(channel: Channel, service: &str) -> Result<i32, Code> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = soon(HealthClient::new(channel).check(request)).await;
    answer
        .map(|answer| answer.into_inner().status)
        .map_err(|status| status.code())
}
