//! What surrounds every call of a service: who may make how many of them, when they are over, and their trace.
//!
//! tonic's own timer answers CANCELLED, without details, and tells the service nothing; its own limit is per
//! connection. Health and reflection stay outside, so that they are answered whatever the load is.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::codegen::{Service, http};
use tonic::server::NamedService;
use tonic::{Code, Status};

use crate::auth::{Gate, Scope};
use crate::deadline::{self, Deadline};
use crate::incoming::Peer;
use crate::methods::methods;
use crate::rates::{Client, Rates};
use crate::server::{self, ServerError};
use crate::status::Domain;
use crate::trace::CallSpan;

/// A little before the client gives up, so that our answer still reaches it, and before tonic's own timer. A
/// service that can say more than that time is over does so earlier still.
const MARGIN: Duration = Duration::from_millis(5);

/// When to try again after there were too many calls.
const AFTER_TOO_MANY: Duration = Duration::from_millis(100);

/// A service with a limit of its calls, whose deadlines are kept, and which lets in who may.
///
/// A call beyond the limit is RESOURCE_EXHAUSTED at once (reason `TOO_MANY_CALLS`, of a stream `TOO_MANY_STREAMS`), and
/// so is one of a client that makes too many of them (reason `TOO_FAST`). Where tokens are asked for, a call without a
/// good one is UNAUTHENTICATED, and one without the scope is PERMISSION_DENIED. One whose `grpc-timeout` has passed is
/// DEADLINE_EXCEEDED (reason `DEADLINE_EXCEEDED`), and its handler is dropped. The deadline is kept until there is an
/// answer; of a stream of answers, until that begins.
///
/// A call counts until its client has taken the whole answer, which otherwise would be kept in memory for as many
/// calls as clients like. Streams, which last, have a limit of their own, so that they take no places from the others.
#[derive(Debug, Clone)]
pub struct Calls<S> {
    service: S,
    domain: Domain,
    places: Arc<Places>,
    gate: Option<Gate>,
    rates: Option<Rates>,
}

/// What is free.
#[derive(Debug)]
struct Places {
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    /// The paths of streams.
    paths: Vec<String>,
}

impl Places {
    /// A place for the call of this path, or the reason why there is none.
    fn take(&self, path: &str) -> Result<OwnedSemaphorePermit, (&'static str, &'static str)> {
        let (free, refusal) = if self.paths.iter().any(|stream| stream == path) {
            let refusal = ("TOO_MANY_STREAMS", "too many streams at a time");
            (&self.streams, refusal)
        } else {
            (&self.calls, ("TOO_MANY_CALLS", "too many calls at a time"))
        };
        Arc::clone(free).try_acquire_owned().map_err(|_| refusal)
    }
}

impl<S: NamedService> Calls<S> {
    /// Lets calls to `service` as the options say, and, where these ask for tokens, as the scope is granted. Clones
    /// share the limits. Within a runtime.
    ///
    /// `descriptor_set` is the encoded `FileDescriptorSet` of the service, which tells what its streams are.
    ///
    /// # Errors
    /// When the keys of tokens can't be loaded.
    pub fn new(
        service: S,
        domain: Domain,
        scope: Scope,
        descriptor_set: &[u8],
        options: &server::Options,
    ) -> Result<Self, ServerError> {
        let gate = options.auth.as_ref().map(|auth| Gate::open(auth, scope));
        let streams = methods([descriptor_set], &[S::NAME]);
        let streams = streams.into_iter().filter(|method| method.streams);
        let places = Places {
            calls: Arc::new(Semaphore::new(options.max_calls)),
            streams: Arc::new(Semaphore::new(options.max_streams)),
            paths: streams.map(|method| format!("/{}", method.name)).collect(),
        };
        Ok(Self {
            service,
            domain,
            places: Arc::new(places),
            gate: gate.transpose()?,
            rates: options.rate_per_client.map(Rates::new),
        })
    }
}

impl<S> Calls<S> {
    /// A place among all calls, or why there is none for this one. The token comes before the rate, as it tells whose
    /// rate that is; so whoever calls too fast still has it verified, which is quick for a good one that was seen before.
    fn admit<B>(
        &self,
        request: &mut http::Request<B>,
    ) -> Result<OwnedSemaphorePermit, Box<Status>> {
        let refuse = |reason, message, delay| {
            let failure = self
                .domain
                .failure(Code::ResourceExhausted, reason, message);
            Box::new(failure.retry_after(delay).build())
        };
        let place = self
            .places
            .take(request.uri().path())
            .map_err(|(reason, message)| refuse(reason, message, AFTER_TOO_MANY))?;
        let admitted = match &self.gate {
            None => Ok(None),
            Some(gate) => gate.admit(request.headers(), self.domain).map(Some),
        };
        if let Some(rates) = &self.rates {
            let client = match &admitted {
                Ok(Some(identity)) => Some(Client::Subject(identity.subject.clone())),
                // Who is not known, or refused, counts by the address. That bounds the answers, not the verifying.
                Ok(None) | Err(_) => request.extensions().get().map(Peer::client),
            };
            let too_fast = "this client makes too many calls in a second";
            client
                .map_or(Ok(()), |client| rates.take(&client))
                .map_err(|wait| refuse("TOO_FAST", too_fast, wait))?;
        }
        if let Some(identity) = admitted? {
            request.extensions_mut().insert(identity);
        }
        Ok(place)
    }
}

impl<S: NamedService> NamedService for Calls<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B, R> Service<http::Request<B>> for Calls<S>
where
    S: Service<http::Request<B>, Response = http::Response<R>, Error = Infallible>,
    S::Future: Unpin,
    R: Default,
{
    type Response = http::Response<Counted<R>>;
    type Error = Infallible;
    type Future = Answer<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let place = match self.admit(&mut request) {
            Ok(place) => place,
            Err(refusal) => return Answer(Progress::Refused(Some(refusal))),
        };
        let over = deadline::timeout(request.headers()).and_then(|timeout| {
            // Beyond what the clock can tell there is no limit.
            let over = Instant::now().checked_add(timeout - MARGIN.min(timeout / 4))?;
            request.extensions_mut().insert(Deadline(over));
            Some(Box::pin(sleep_until(over)))
        });
        let span = CallSpan::begin(&mut request);
        Answer(Progress::Running {
            call: self.service.call(request),
            span,
            over,
            domain: self.domain,
            place: Some(place),
        })
    }
}

/// The answer of [`Calls`].
#[derive(Debug)]
pub struct Answer<F>(Progress<F>);

#[derive(Debug)]
enum Progress<F> {
    /// The call was turned away.
    Refused(Option<Box<Status>>),
    /// The call is worked on.
    Running {
        /// Its handler.
        call: F,
        /// What its trace says of it.
        span: Option<CallSpan>,
        /// When it is over.
        over: Option<Pin<Box<Sleep>>>,
        /// Who defines the reason of its failure.
        domain: Domain,
        /// Its place among all calls.
        place: Option<OwnedSemaphorePermit>,
    },
}

impl<F, R> Future for Answer<F>
where
    F: Future<Output = Result<http::Response<R>, Infallible>> + Unpin,
    R: Default,
{
    type Output = Result<http::Response<Counted<R>>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Progress::Refused(status) => {
                // A future that is polled after its end may answer anything.
                let status = status.take().map_or_else(|| Status::unknown(""), |it| *it);
                Poll::Ready(Ok(status
                    .into_http()
                    .map(|body| Counted { body, _place: None })))
            }
            Progress::Running {
                call,
                span,
                over,
                domain,
                place,
            } => {
                let answer = match Pin::new(call).poll(context) {
                    Poll::Ready(Ok(answer)) => answer,
                    Poll::Ready(Err(never)) => match never {},
                    Poll::Pending => {
                        let Some(over) = over else {
                            return Poll::Pending;
                        };
                        ready!(over.as_mut().poll(context));
                        let failure = domain.failure(
                            Code::DeadlineExceeded,
                            "DEADLINE_EXCEEDED",
                            "the deadline passed before there was an answer",
                        );
                        failure.build().into_http()
                    }
                };
                if let Some(span) = span.take() {
                    span.end(&answer);
                }
                let _place = place.take();
                Poll::Ready(Ok(answer.map(|body| Counted { body, _place })))
            }
        }
    }
}

pin_project! {
    /// The body of an answer, which keeps the place of its call until it is dropped: when the client has taken all of it,
    /// or is gone.
    #[derive(Debug)]
    pub struct Counted<B> {
        #[pin]
        body: B,
        _place: Option<OwnedSemaphorePermit>,
    }
}

impl<B: Body> Body for Counted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
