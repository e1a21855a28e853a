//! `load-test echo-server`: what tonic can do on this machine when a call has nothing to do.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use circles_proto::circles::v1::GetCircleRequest;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// Serves until the process is ended. With the options of the services (service-kit's `server`), and nothing
/// else of theirs.
pub(crate) async fn serve(listen: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(listen).await?;
    println!("{}", listener.local_addr()?);
    let incoming = TcpIncoming::from(listener)
        .with_nodelay(Some(true))
        .with_keepalive(Some(KEEPALIVE));
    Server::builder()
        .max_concurrent_streams(1_024)
        .initial_stream_window_size(256 << 10)
        .initial_connection_window_size(4 << 20)
        .http2_max_header_list_size(16 << 10)
        .http2_max_local_error_reset_streams(Some(1_024))
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .add_service(Echo)
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

const KEEPALIVE: Duration = Duration::from_secs(30);

#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "loadtest.Echo";
}

/// Written out, since a generated service would need a proto file that no user should see.
impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::default());
            Ok(grpc.unary(Echo, request).await)
        })
    }
}

impl UnaryService<GetCircleRequest> for Echo {
    type Response = GetCircleRequest;
    type Future = Ready<Result<Response<GetCircleRequest>, Status>>;

    fn call(&mut self, request: Request<GetCircleRequest>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner())))
    }
}
