//! The admin service.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use circles_proto::circles::admin::v1::projector_admin_service_server::ProjectorAdminService;
use circles_proto::circles::admin::v1::{GetStatusRequest, GetStatusResponse, ProjectorState};
use event_store::{EventStore, StoreError};
use service_kit::program::chain;
use service_kit::status::Domain;
use shared_domain::Sequence;
use tonic::{Code, Request, Response, Status};

use crate::progress::Latest;

const DOMAIN: Domain = Domain::new("circles.v1");

/// When to ask again while MySQL is away.
const AFTER_OUTAGE: Duration = Duration::from_secs(1);

/// Answers operators.
#[derive(Debug)]
pub(crate) struct AdminService {
    pub(crate) progress: Latest,
    /// Empty until MySQL was reached for the first time.
    pub(crate) store: Arc<OnceLock<EventStore>>,
}

#[tonic::async_trait]
impl ProjectorAdminService for AdminService {
    async fn get_status(
        &self,
        _: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let store = self
            .store
            .get()
            .ok_or_else(|| unavailable("the projector is starting"))?;
        let head = store.head().await.map_err(|error| failed(&error))?;
        let progress = self.progress.borrow().clone();
        Ok(Response::new(GetStatusResponse {
            state: ProjectorState::from(progress.state).into(),
            checkpoint_sequence: signed(progress.checkpoint),
            head_sequence: signed(head),
            lag_events: signed(Sequence::new(
                head.get().saturating_sub(progress.checkpoint.get()),
            )),
            applied_events: i64::try_from(progress.applied).unwrap_or(i64::MAX),
            problem: progress.problem,
        }))
    }
}

fn signed(sequence: Sequence) -> i64 {
    i64::try_from(sequence.get()).unwrap_or(i64::MAX)
}

fn failed(error: &StoreError) -> Status {
    tracing::warn!(error = %chain(error), "head not read");
    match error {
        StoreError::Unavailable(_) => unavailable("the event log can't be reached"),
        StoreError::Damaged(_) | StoreError::Refused(_) => DOMAIN.internal(),
    }
}

fn unavailable(message: &str) -> Status {
    DOMAIN
        .failure(Code::Unavailable, "LOG_UNAVAILABLE", message)
        .retry_after(AFTER_OUTAGE)
        .build()
}
