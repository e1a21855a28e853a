//! Whether this process can do its work, and `grpc.health.v1` that tells it.
//!
//! The protocol's types are those of `tonic-health`; its service is not used, since a stream of its `Watch` never
//! ends by itself and would hold every drain to its limit.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::sync::watch;
use tokio_stream::{Stream, wrappers::WatchStream};
use tonic::{Request, Response, Status};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_check_response::ServingStatus,
    health_server::{Health, HealthServer},
};

/// Under this name the health is SERVING for as long as the process answers at all, whatever it waits for and
/// even while it drains: a restart would mend nothing. Under every other name it tells whether to send calls.
pub const LIVENESS: &str = "liveness";

/// Where the health is told besides, to probes that speak no TLS. Nowhere unless set.
pub const LISTEN: &str = "CIRCLES_HEALTH_LISTEN";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    NotReady,
    Ready,
    Draining,
}

/// Tells the world whether this process can serve. Not ready until told otherwise, and never again once it drains.
///
/// Clones are handles of the same state.
#[derive(Debug, Clone)]
pub struct Readiness {
    state: watch::Sender<State>,
    services: Arc<[String]>,
}

impl Readiness {
    /// Not ready yet. `services` are the full names (`circles.v1.CircleQueryService`) under which the health is
    /// told, besides the empty name, which is the process as a whole.
    pub fn new(services: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            state: watch::Sender::new(State::NotReady),
            services: services.into_iter().map(Into::into).collect(),
        }
    }

    /// Turns the health to SERVING or NOT_SERVING. Without effect once the process drains.
    pub fn set(&self, ready: bool) {
        let next = if ready { State::Ready } else { State::NotReady };
        let changed = self.turn(next);
        if changed {
            tracing::info!(ready, "health turned");
        }
    }

    /// Whether the health is SERVING.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.state.borrow() == State::Ready
    }

    /// Resolves as soon as the process drains. What would otherwise go on for long, such as a stream without an
    /// end or a caller that waits, ends with this.
    pub async fn draining(&self) {
        // The sender lives in `self`, so the channel can't close meanwhile.
        let _ = self
            .state
            .subscribe()
            .wait_for(|state| *state == State::Draining)
            .await;
    }

    /// The names of the services that this is the health of.
    pub(crate) fn services(&self) -> &[String] {
        &self.services
    }

    /// NOT_SERVING for good. Watchers are told, and their streams end.
    pub(crate) fn drain(&self) {
        self.turn(State::Draining);
    }

    fn turn(&self, next: State) -> bool {
        self.state.send_if_modified(|state| {
            let changes = *state != State::Draining && *state != next;
            if changes {
                *state = next;
            }
            changes
        })
    }

    pub(crate) fn service(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService(self.clone()))
    }
}

/// `grpc.health.v1.Health`.
#[derive(Debug)]
pub(crate) struct HealthService(Readiness);

impl HealthService {
    /// What is told under this name.
    fn subject(&self, name: &str) -> Subject {
        match name {
            LIVENESS => Subject::Process,
            name if name.is_empty() || self.0.services.iter().any(|known| known == name) => {
                Subject::Service
            }
            _ => Subject::Unknown,
        }
    }
}

/// Whose health it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Process,
    Service,
    Unknown,
}

impl Subject {
    fn status(self, state: State) -> ServingStatus {
        match (self, state) {
            (Self::Process, _) | (Self::Service, State::Ready) => ServingStatus::Serving,
            (Self::Service, State::NotReady | State::Draining) => ServingStatus::NotServing,
            // So the protocol wants it in a watch, rather than an error.
            (Self::Unknown, _) => ServingStatus::ServiceUnknown,
        }
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let subject = self.subject(&request.get_ref().service);
        if subject == Subject::Unknown {
            return Err(Status::not_found("no such service here"));
        }
        let state = *self.0.state.borrow();
        Ok(Response::new(answer(subject.status(state))))
    }

    type WatchStream = Statuses;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Statuses>, Status> {
        Ok(Response::new(Statuses {
            states: WatchStream::new(self.0.state.subscribe()),
            subject: self.subject(&request.get_ref().service),
            last: None,
            over: false,
        }))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

/// The present status, then each change of it, until the process drains.
pub(crate) struct Statuses {
    states: WatchStream<State>,
    subject: Subject,
    last: Option<ServingStatus>,
    over: bool,
}

impl Stream for Statuses {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while !self.over {
            let Some(state) = ready!(Pin::new(&mut self.states).poll_next(cx)) else {
                break;
            };
            self.over = state == State::Draining;
            let status = self.subject.status(state);
            if self.last.replace(status) != Some(status) {
                return Poll::Ready(Some(Ok(answer(status))));
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;
    use tokio_stream::StreamExt as _;

    use super::*;

    fn asking(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest {
            service: service.to_owned(),
        })
    }

    async fn checked(readiness: &Readiness, service: &str) -> Result<ServingStatus, tonic::Code> {
        let service = HealthService(readiness.clone())
            .check(asking(service))
            .await;
        service
            .map(|answer| answer.get_ref().status())
            .map_err(|status| status.code())
    }

    #[tokio::test]
    async fn not_ready_until_told_and_never_again_once_draining() {
        let readiness = Readiness::new(["a.v1.A"]);
        let told = readiness.clone();
        for service in ["", "a.v1.A"] {
            assert_eq!(
                checked(&readiness, service).await,
                Ok(ServingStatus::NotServing)
            );
        }
        told.set(true);
        for service in ["", "a.v1.A"] {
            assert_eq!(
                checked(&readiness, service).await,
                Ok(ServingStatus::Serving)
            );
        }
        assert_eq!(checked(&readiness, "b").await, Err(tonic::Code::NotFound));
        told.set(false);
        assert!(!readiness.is_ready());
        told.set(true);
        readiness.drain();
        told.set(true);
        assert!(!readiness.is_ready());
        assert_eq!(checked(&readiness, "").await, Ok(ServingStatus::NotServing));
        readiness.draining().await;
    }

    #[tokio::test]
    async fn the_process_is_alive_whatever_it_waits_for() {
        let readiness = Readiness::new(["a.v1.A"]);
        let alive = Ok(ServingStatus::Serving);
        assert_eq!(checked(&readiness, LIVENESS).await, alive);
        let health = HealthService(readiness.clone());
        let watch = health.watch(asking(LIVENESS)).await.unwrap().into_inner();
        readiness.set(true);
        assert_eq!(checked(&readiness, LIVENESS).await, alive);
        readiness.drain();
        assert_eq!(checked(&readiness, LIVENESS).await, alive);
        assert_eq!(told(watch).await, [ServingStatus::Serving]);
    }

    /// Everything that a watch tells, the end included. A watch that does not end fails the test.
    async fn told(watch: Statuses) -> Vec<ServingStatus> {
        let all = watch.map(|answer| answer.unwrap().status()).collect();
        timeout(Duration::from_secs(5), all)
            .await
            .expect("the watch ends")
    }

    #[tokio::test]
    async fn a_watch_tells_changes_and_ends_with_the_drain() {
        let readiness = Readiness::new(["a.v1.A"]);
        let health = HealthService(readiness.clone());
        let watch = async |service| health.watch(asking(service)).await.unwrap().into_inner();
        let mut known = watch("a.v1.A").await;
        let unknown = watch("b").await;

        let first = known.next().await.unwrap().unwrap();
        assert_eq!(first.status(), ServingStatus::NotServing);
        readiness.set(true);
        let second = known.next().await.unwrap().unwrap();
        assert_eq!(second.status(), ServingStatus::Serving);
        readiness.drain();
        assert_eq!(told(known).await, [ServingStatus::NotServing]);
        assert_eq!(told(unknown).await, [ServingStatus::ServiceUnknown]);
        let late = watch("").await;
        assert_eq!(told(late).await, [ServingStatus::NotServing]);
    }
}
