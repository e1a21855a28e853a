//! A command service as clients meet it on its worst days, in front of the real one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use circles_proto::FILE_DESCRIPTOR_SET;
use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::circle_command_service_server::{
    CircleCommandService, CircleCommandServiceServer,
};
use circles_proto::circles::v1::{
    CreateCircleRequest, CreateCircleResponse, DeleteCircleRequest, DeleteCircleResponse,
    ImportCirclesRequest, ImportCirclesResponse, UpdateCircleRequest, UpdateCircleResponse,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::codegen::tokio_stream::Empty;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};

/// When a client is asked to come back: later than it would by itself.
const PUSHBACK: Duration = Duration::from_millis(300);

/// Refuses every request when it first sees it; does it when it comes again, and loses the answer;
/// and lets it pass from then on.
pub(super) struct Forgetful {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    /// By request id: how often, and when it was last refused.
    requests: HashMap<String, (u32, Instant)>,
    calls: u32,
    complaints: Vec<String>,
}

impl Forgetful {
    pub(super) async fn start(service: CircleCommandServiceClient<Channel>) -> Self {
        let seen = Arc::default();
        let front = Front {
            service,
            seen: Arc::clone(&seen),
        };
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .build_v1alpha()
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder()
            .add_service(CircleCommandServiceServer::new(front))
            .add_service(reflection)
            .serve_with_incoming(TcpIncoming::from(listener));
        let task = tokio::spawn(async { server.await.unwrap() });
        Self {
            address,
            seen,
            task,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn calls(&self) -> u32 {
        self.seen.lock().unwrap().calls
    }

    /// What the client did that a good one does not.
    pub(super) fn complaints(&self) -> Vec<String> {
        self.seen.lock().unwrap().complaints.clone()
    }
}

impl Drop for Forgetful {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Front {
    service: CircleCommandServiceClient<Channel>,
    seen: Arc<Mutex<Seen>>,
}

impl Front {
    async fn pass<T>(
        &self,
        request_id: Option<&str>,
        metadata: &MetadataMap,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<Response<T>, Status> {
        let time = self.seen.lock().unwrap().count(request_id, metadata);
        match time {
            1 => Err(come_back(Code::ResourceExhausted)),
            2 => call.await.and(Err(come_back(Code::Unavailable))),
            _ => call.await,
        }
    }
}

impl Seen {
    /// The how manieth time it is that this request comes.
    fn count(&mut self, request_id: Option<&str>, metadata: &MetadataMap) -> u32 {
        self.calls += 1;
        if !metadata.contains_key("grpc-timeout") {
            self.complaints.push("a call without a deadline".to_owned());
        }
        let Some(request_id) = request_id else {
            self.complaints
                .push("a command without a request id".to_owned());
            return u32::MAX;
        };
        let now = Instant::now();
        let (times, last) = self
            .requests
            .entry(request_id.to_owned())
            .or_insert((0, now));
        *times += 1;
        let away = now - std::mem::replace(last, now);
        if matches!(times, 2 | 3) && away < PUSHBACK {
            self.complaints
                .push(format!("back after {away:?}, not {PUSHBACK:?}"));
        }
        *times
    }
}

fn come_back(code: Code) -> Status {
    let mut details = ErrorDetails::with_error_info("TEST", "circles.v1", HashMap::new());
    details.set_retry_info(Some(PUSHBACK));
    let mut metadata = MetadataMap::new();
    let millis = PUSHBACK.as_millis().to_string().parse().unwrap();
    metadata.insert("grpc-retry-pushback-ms", millis);
    Status::with_error_details_and_metadata(code, "come back later", details, metadata)
}

#[tonic::async_trait]
impl CircleCommandService for Front {
    async fn create_circle(
        &self,
        request: Request<CreateCircleRequest>,
    ) -> Result<Response<CreateCircleResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let request_id = request.request_id.clone();
        let mut service = self.service.clone();
        let call = service.create_circle(request);
        self.pass(request_id.as_deref(), &metadata, call).await
    }

    async fn update_circle(
        &self,
        request: Request<UpdateCircleRequest>,
    ) -> Result<Response<UpdateCircleResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let request_id = request.request_id.clone();
        let mut service = self.service.clone();
        let call = service.update_circle(request);
        self.pass(request_id.as_deref(), &metadata, call).await
    }

    async fn delete_circle(
        &self,
        request: Request<DeleteCircleRequest>,
    ) -> Result<Response<DeleteCircleResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let request_id = request.request_id.clone();
        let mut service = self.service.clone();
        let call = service.delete_circle(request);
        self.pass(request_id.as_deref(), &metadata, call).await
    }

    type ImportCirclesStream = Empty<Result<ImportCirclesResponse, Status>>;

    async fn import_circles(
        &self,
        _: Request<Streaming<ImportCirclesRequest>>,
    ) -> Result<Response<Self::ImportCirclesStream>, Status> {
        Err(Status::unimplemented("not for these clients"))
    }
}
