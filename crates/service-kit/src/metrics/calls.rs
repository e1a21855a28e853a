//! Measures every call: how long it took, by method and status, and how many are under way.
//!
//! The names are those of OpenTelemetry's conventions (`rpc.server.call.duration`), as Prometheus spells them.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Instant,
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use prometheus::{Histogram, HistogramVec};
use tonic::{
    Code,
    codegen::{
        Service,
        http::{HeaderMap, Request, Response},
    },
};
use tower_layer::Layer;

use super::{Level, Metrics, SECONDS};
use crate::methods::Method;

/// The label of every method that is not known. Clients choose what they call, and a label of each would
/// fill the memory.
const OTHER: &str = "_OTHER";

/// The names of the status codes, by their numbers.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// What is measured of calls, with everything found beforehand that a call would otherwise look for.
#[derive(Debug)]
pub(crate) struct CallMetrics {
    durations: HistogramVec,
    in_flight: Level,
    methods: Vec<MethodCalls>,
    /// By the path of a request: where a method stands. The last one is that of the unknown.
    places: HashMap<String, usize>,
}

#[derive(Debug)]
struct MethodCalls {
    name: String,
    /// By the number of the status. Those that never happen have no series.
    durations: [OnceLock<Histogram>; CODES.len()],
}

impl CallMetrics {
    pub(crate) fn new(metrics: &Metrics, methods: &[Method]) -> Self {
        let names = methods.iter().map(|method| method.name.as_str());
        let places = names.clone().enumerate();
        let places = places.map(|(place, name)| (format!("/{name}"), place));
        let names = names.chain([OTHER]);
        let calls = Self {
            durations: metrics.histograms(
                "rpc_server_call_duration_seconds",
                "How long calls took, from the request's head to the answer's end.",
                &["rpc_system", "rpc_method", "rpc_response_status_code"],
                SECONDS,
            ),
            in_flight: metrics.level(
                "rpc_server_calls_in_flight",
                "CallMetrics that are under way.",
            ),
            places: places.collect(),
            methods: names
                .map(|name| MethodCalls {
                    name: name.to_owned(),
                    durations: Default::default(),
                })
                .collect(),
        };
        // So that a rate is there from the first call on.
        for method in &calls.methods[..methods.len()] {
            calls.duration(method, Code::Ok);
        }
        calls
    }

    fn duration<'a>(&self, method: &'a MethodCalls, code: Code) -> &'a Histogram {
        let code = code as usize;
        method.durations[code].get_or_init(|| {
            let labels = ["grpc", method.name.as_str(), CODES[code]];
            self.durations.with_label_values(&labels)
        })
    }
}

/// A call that is under way.
#[derive(Debug)]
struct Call {
    calls: Arc<CallMetrics>,
    method: usize,
    begun: Instant,
    /// How it ends. One that is dropped before that is known was given up by its client, or cut off.
    code: Code,
}

impl Call {
    fn begin(calls: &Arc<CallMetrics>, path: &str) -> Self {
        let unknown = calls.methods.len() - 1;
        calls.in_flight.rise();
        Self {
            calls: Arc::clone(calls),
            method: calls.places.get(path).copied().unwrap_or(unknown),
            begun: Instant::now(),
            code: Code::Cancelled,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let method = &self.calls.methods[self.method];
        let duration = self.calls.duration(method, self.code);
        duration.observe(self.begun.elapsed().as_secs_f64());
        self.calls.in_flight.fall();
    }
}

/// The status in headers or trailers, if it is there.
fn status(headers: &HeaderMap) -> Option<Code> {
    let code = headers.get("grpc-status")?;
    Some(Code::from_bytes(code.as_bytes()))
}

/// Puts [`CallMetrics`] around a service.
#[derive(Debug, Clone)]
pub(crate) struct MeasuredCalls(pub(crate) Arc<CallMetrics>);

impl<S> Layer<S> for MeasuredCalls {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured {
            inner,
            calls: Arc::clone(&self.0),
        }
    }
}

/// A service whose calls are measured.
#[derive(Debug, Clone)]
pub(crate) struct Measured<S> {
    inner: S,
    calls: Arc<CallMetrics>,
}

impl<S, A, B> Service<Request<A>> for Measured<S>
where
    S: Service<Request<A>, Response = Response<B>>,
{
    type Response = Response<MeasuredBody<B>>;
    type Error = S::Error;
    type Future = MeasuredFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let call = Some(Call::begin(&self.calls, request.uri().path()));
        let future = self.inner.call(request);
        MeasuredFuture { future, call }
    }
}

pin_project! {
    /// The answer's head to come.
    #[derive(Debug)]
    pub(crate) struct MeasuredFuture<F> {
        #[pin]
        future: F,
        call: Option<Call>,
    }
}

impl<F, B, E> Future for MeasuredFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<MeasuredBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.future.poll(cx))?;
        let mut call = this.call.take();
        // A status in the head is that of an answer which has nothing else.
        if let Some(code) = status(response.headers())
            && let Some(mut call) = call.take()
        {
            call.code = code;
        }
        Poll::Ready(Ok(response.map(|body| MeasuredBody { body, call })))
    }
}

pin_project! {
    /// An answer's body, whose trailers tell how the call ended.
    #[derive(Debug)]
    pub(crate) struct MeasuredBody<B> {
        #[pin]
        body: B,
        call: Option<Call>,
    }
}

impl<B: Body> Body for MeasuredBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        let code = match &frame {
            Some(Ok(frame)) => frame
                .trailers_ref()
                .map(|trailers| status(trailers).unwrap_or(Code::Unknown)),
            // An answer without a status is none.
            Some(Err(_)) | None => Some(Code::Unknown),
        };
        if let Some(code) = code
            && let Some(mut call) = this.call.take()
        {
            call.code = code;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
