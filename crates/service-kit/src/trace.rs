//! Traces for OpenTelemetry, sent over OTLP where a collector is configured.
//!
//! There is one span per call and, where events are taken in, one per batch of them, which links to the calls that
//! they came from. Without a collector none of this costs anything.

use std::sync::OnceLock;
use std::time::SystemTime;

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    Sampler, SamplingDecision, SamplingResult, SdkTracer, SdkTracerProvider, ShouldSample, Span,
};
use tonic::Code;
use tonic::codegen::http::{HeaderMap, HeaderValue, Request, Response, Uri};

use crate::config::{Invalid, Reader};

/// Where the collector listens for OTLP over gRPC, such as `http://127.0.0.1:4317`. Unset: no traces.
pub const ENDPOINT: &str = "CIRCLES_OTLP_ENDPOINT";
/// Which part of the calls without a decision of their caller's is traced, 0 to 1.
pub const RATIO: &str = "CIRCLES_TRACE_RATIO";

/// The header, and the field of an event's metadata.
const TRACEPARENT: &str = "traceparent";

/// Links of one span at most, as OpenTelemetry has it by default.
const MAX_LINKS: usize = 128;

/// What is traced, and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where the collector is.
    pub endpoint: Option<String>,
    /// Which part of the calls is traced.
    pub ratio: f64,
}

impl Options {
    /// Reads [`ENDPOINT`] and [`RATIO`].
    ///
    /// # Errors
    /// When the reader refused a variable.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let endpoint = reader.optional(ENDPOINT, parse_endpoint);
        let ratio = reader.or(RATIO, parse_ratio, 1.0);
        Ok(Self {
            endpoint: endpoint?,
            ratio: ratio?,
        })
    }
}

fn parse_endpoint(value: &str) -> Result<String, &'static str> {
    const RULE: &str = "must be http://host:port of a collector for OTLP over gRPC";
    let uri: Uri = value.parse().map_err(|_| RULE)?;
    let is_plain = uri.scheme_str() == Some("http") && uri.port().is_some();
    is_plain.then(|| value.to_owned()).ok_or(RULE)
}

fn parse_ratio(value: &str) -> Result<f64, &'static str> {
    let ratio = value.parse().ok();
    ratio
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or("must be a number from 0 to 1")
}

/// One for the process, as the subscriber of tracing is.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Spans on their way to the collector.
#[derive(Debug)]
pub(crate) struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Begins, inside of a runtime. A collector that is not there is no error: what it misses is lost.
    pub(crate) fn start(
        options: &Options,
        name: &'static str,
        version: &'static str,
    ) -> Result<Self, ExporterBuildError> {
        let Some(endpoint) = &options.endpoint else {
            return Ok(Self(None));
        };
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()?;
        let resource = Resource::builder()
            .with_service_name(name)
            .with_attribute(KeyValue::new("service.version", version))
            .build();
        let root = ByCause(Sampler::TraceIdRatioBased(options.ratio));
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(root)))
            .with_resource(resource)
            .with_batch_exporter(exporter)
            .build();
        // Only the first one counts, as of the subscriber.
        let _ = TRACER.set(provider.tracer("circles"));
        Ok(Self(Some(provider)))
    }

    /// Sends what is left, for a bounded time.
    pub(crate) fn end(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// Samples what links to something that is sampled, and of the rest what another sampler picks.
#[derive(Debug, Clone)]
struct ByCause(Sampler);

impl ShouldSample for ByCause {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        if links.iter().any(|link| link.span_context.is_sampled()) {
            return SamplingResult {
                decision: SamplingDecision::RecordAndSample,
                attributes: Vec::new(),
                trace_state: TraceState::default(),
            };
        }
        self.0
            .should_sample(parent, trace, name, kind, attributes, links)
    }
}

/// The span of a call. It ends with this at the latest.
#[derive(Debug)]
pub(crate) struct CallSpan(Box<Span>);

impl CallSpan {
    /// Begins it under the caller's span. What the call records as its `traceparent` is this span then.
    pub(crate) fn begin<B>(request: &mut Request<B>) -> Option<Self> {
        let tracer = TRACER.get()?;
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let parent = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &Headers(request.headers()));
        let span = tracer
            .span_builder(method.clone())
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("rpc.system", "grpc"),
                KeyValue::new("rpc.method", method),
            ])
            .start_with_context(tracer, &parent);
        if let Ok(value) = HeaderValue::try_from(traceparent(span.span_context())) {
            request.headers_mut().insert(TRACEPARENT, value);
        }
        Some(Self(Box::new(span)))
    }

    /// Ends it with the status of the answer. That of a good answer comes later, after its messages.
    pub(crate) fn end<R>(mut self, response: &Response<R>) {
        let code = response.headers().get("grpc-status");
        let code = code.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()));
        self.0
            .set_attribute(KeyValue::new("rpc.response.status_code", code as i64));
        // Those that OpenTelemetry counts as the server's fault.
        if let Code::Unknown
        | Code::DeadlineExceeded
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss = code
        {
            self.0.set_status(Status::error(code.description()));
        }
        self.0.end();
    }
}

/// A span of work on messages, which links to the spans that caused them, by their `traceparent`.
#[derive(Debug)]
pub struct WorkSpan(Span);

impl WorkSpan {
    /// Begins it, unless nothing of what caused the work is traced.
    pub fn begin<'a>(
        name: &'static str,
        begun: SystemTime,
        causes: impl IntoIterator<Item = &'a str>,
    ) -> Option<Self> {
        let tracer = TRACER.get()?;
        let propagator = TraceContextPropagator::new();
        let links: Vec<Link> = causes
            .into_iter()
            .map(|cause| propagator.extract_with_context(&Context::new(), &Cause(cause)))
            .map(|context| context.span().span_context().clone())
            .filter(SpanContext::is_sampled)
            .take(MAX_LINKS)
            .map(Link::with_context)
            .collect();
        if links.is_empty() {
            return None;
        }
        let span = tracer
            .span_builder(name)
            .with_kind(SpanKind::Consumer)
            .with_start_time(begun)
            .with_links(links)
            .start_with_context(tracer, &Context::new());
        Some(Self(span))
    }

    /// Adds a number to it.
    pub fn record(&mut self, key: &'static str, value: i64) {
        self.0.set_attribute(KeyValue::new(key, value));
    }
}

/// In the form of W3C Trace Context.
fn traceparent(context: &SpanContext) -> String {
    format!(
        "00-{}-{}-{:02x}",
        context.trace_id(),
        context.span_id(),
        context.trace_flags().to_u8()
    )
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

/// The `traceparent` alone.
struct Cause<'a>(&'a str);

impl Extractor for Cause<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config;

    fn read(endpoint: &str, ratio: &str) -> Result<Options, Vec<String>> {
        let variables = BTreeMap::from([(ENDPOINT, endpoint), (RATIO, ratio)]);
        config::read(&variables, Options::read).map_err(|errors| {
            let mistakes = errors.mistakes().iter();
            mistakes.map(|mistake| mistake.name.clone()).collect()
        })
    }

    #[test]
    fn settings_are_checked() {
        let options = read("http://collector:4317", "0.25").unwrap();
        assert_eq!(options.endpoint.as_deref(), Some("http://collector:4317"));
        assert!((options.ratio - 0.25).abs() < f64::EPSILON);
        assert_eq!(read("", "").unwrap().endpoint, None);
        for (endpoint, ratio) in [
            ("https://a:1", "2"),
            ("a:4317", "-1"),
            ("http://a", "x"),
            ("?", "NaN"),
        ] {
            assert_eq!(read(endpoint, ratio).unwrap_err(), [ENDPOINT, RATIO]);
        }
    }

    #[test]
    fn what_links_to_something_sampled_is_sampled() {
        let never = ByCause(Sampler::AlwaysOff);
        let sampled = |traceparent: &str| {
            let context = TraceContextPropagator::new().extract(&Cause(traceparent));
            let links = [Link::with_context(context.span().span_context().clone())];
            let trace = TraceId::from(1);
            let kind = SpanKind::Consumer;
            let result = never.should_sample(None, trace, "apply", &kind, &[], &links);
            result.decision == SamplingDecision::RecordAndSample
        };
        assert!(sampled(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        ));
        assert!(!sampled(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
        ));
        assert!(!sampled("nonsense"));
    }
}

#[cfg(test)]
#[path = "trace_properties.rs"]
mod properties;
