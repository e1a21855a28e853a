//! A command's trace, from its caller to the read models.

use std::net::SocketAddr;

use circles_proto::circles::v1::CreateCircleRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use test_support::mysql::Engine;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};

use crate::support::{PATIENCE, System};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// Hands on every span that it gets, with the name of the service that sent it.
struct Collector(mpsc::UnboundedSender<(String, Span)>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for spans in request.into_inner().resource_spans {
            let resource = spans.resource.unwrap_or_default();
            let name = resource
                .attributes
                .iter()
                .find(|one| one.key == "service.name");
            let name = format!("{:?}", name.and_then(|name| name.value.clone()));
            for span in spans.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                // The test may have seen enough.
                let _ = self.0.send((name.clone(), span));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

struct Collected(mpsc::UnboundedReceiver<(String, Span)>);

impl Collected {
    async fn start() -> (SocketAddr, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (send, spans) = mpsc::unbounded_channel();
        let server = Server::builder().add_service(TraceServiceServer::new(Collector(send)));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        (address, Self(spans))
    }

    /// The next span of this service and name.
    async fn next(&mut self, service: &str, name: &str) -> Span {
        let found = async {
            loop {
                let (from, span) = self.0.recv().await.unwrap();
                if from.contains(service) && span.name == name {
                    return span;
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("no span {name} of {service}"))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn create(name: &str, traceparent: Option<String>) -> Request<CreateCircleRequest> {
    let mut request = Request::new(CreateCircleRequest {
        name: name.to_owned(),
        capacity: 20,
        ..Default::default()
    });
    if let Some(traceparent) = traceparent {
        let metadata = request.metadata_mut();
        metadata.insert("traceparent", traceparent.parse().unwrap());
    }
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_from_the_caller_to_the_read_models() {
    let (collector, mut spans) = Collected::start().await;
    let endpoint = format!("http://{collector}");
    let system = System::start_with(Engine::MariaDb, &[("CIRCLES_OTLP_ENDPOINT", &endpoint)]).await;
    // Until the service is ready; these calls are traces of their own, and failures are errors.
    let first = crate::client::create(&system.services, "first").await;
    crate::client::until_visible(&system.services, &first.0, first.1).await;

    let mut client = system.services.commands();
    let caller = format!("00-{TRACE}-{CALLER}-01");
    client
        .create_circle(create("tea", Some(caller)))
        .await
        .unwrap();
    let method = "circles.v1.CircleCommandService/CreateCircle";
    let call = loop {
        let span = spans.next("command-service", method).await;
        if hexadecimal(&span.trace_id) == TRACE {
            break span;
        }
        assert!(
            span.parent_span_id.is_empty(),
            "nobody called this one: {span:?}"
        );
    };
    assert_eq!(hexadecimal(&call.parent_span_id), CALLER);
    assert_eq!(call.kind(), SpanKind::Server);

    let applied = loop {
        let span = spans.next("projector", "apply").await;
        if span.links.iter().any(|link| link.trace_id == call.trace_id) {
            break span;
        }
    };
    let link = applied
        .links
        .iter()
        .find(|link| link.trace_id == call.trace_id);
    assert_eq!(
        link.unwrap().span_id,
        call.span_id,
        "the event kept the call's own span"
    );
    assert_eq!(applied.kind(), SpanKind::Consumer);

    // A caller that is not traced stays so; a failure that is the caller's is none of the server's.
    let untraced = format!("00-{}-{CALLER}-00", TRACE.replace('4', "5"));
    client
        .create_circle(create("go", Some(untraced.clone())))
        .await
        .unwrap();
    let refused = client.create_circle(create("", None)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let span = spans.next("command-service", method).await;
    assert!(!untraced.contains(&hexadecimal(&span.trace_id)), "{span:?}");
    let code = span
        .attributes
        .iter()
        .find(|one| one.key == "rpc.response.status_code");
    let code = format!("{:?}", code.unwrap().value);
    assert!(code.contains("IntValue(3)"), "{code}");
    assert!(span.status.unwrap_or_default().message.is_empty());
}
