//! Every failure as a gRPC status, in one place.

use std::time::Duration;

use event_store::{StoreError, SubmitError};
use service_kit::program::chain;
use service_kit::status::Domain;
use shared_domain::Refusal;
use tonic::{Code, Status};

use crate::commands::Rejected;

/// Who defines the reasons.
pub(crate) const DOMAIN: Domain = Domain::new("circles.v1");

/// When to try again after the queue was full: about as long as it takes to empty it.
const AFTER_FULL: Duration = Duration::from_millis(100);

/// When to try again while the database or the service is away.
const AFTER_OUTAGE: Duration = Duration::from_secs(1);

/// The status for a command that was not done.
pub(crate) fn status(rejected: &Rejected) -> Status {
    match rejected {
        Rejected::Refused(refusal) => refused(*refusal),
        Rejected::RequestIdUsed => DOMAIN
            .failure(Code::AlreadyExists, "REQUEST_ID_USED", rejected.to_string())
            .build(),
        Rejected::Submit(error @ SubmitError::Contended) => DOMAIN
            .failure(Code::Unavailable, "CONTENDED", error.to_string())
            .retry_after(AFTER_FULL)
            .build(),
        Rejected::Submit(SubmitError::QueueFull) => DOMAIN
            .failure(
                Code::ResourceExhausted,
                "QUEUE_FULL",
                "too many commands are waiting",
            )
            .retry_after(AFTER_FULL)
            .build(),
        Rejected::Submit(error @ SubmitError::Expired) => DOMAIN
            .failure(
                Code::DeadlineExceeded,
                "DEADLINE_EXCEEDED",
                error.to_string(),
            )
            .build(),
        Rejected::Submit(SubmitError::Closed) => draining(),
        Rejected::Submit(SubmitError::Unreachable) => unavailable(
            "LOG_UNAVAILABLE",
            "the event log can't be reached; nothing was done",
        ),
        Rejected::Submit(SubmitError::Unknown) => unknown(),
        // The log has an event under the id: of this command or of another one, which can't be told now.
        Rejected::Load(error @ StoreError::Unavailable(_)) => {
            tracing::warn!(error = %chain(error), "circle not loaded");
            unknown()
        }
        // The writer has logged the cause.
        Rejected::Submit(SubmitError::Failed) => DOMAIN.internal(),
        Rejected::Load(StoreError::Damaged(_) | StoreError::Refused(_)) | Rejected::NoVersion => {
            tracing::error!(error = %chain(rejected), "command failed");
            DOMAIN.internal()
        }
    }
}

/// The status before the database was reached for the first time.
pub(crate) fn starting() -> Status {
    unavailable("STARTING", "the service is starting")
}

/// The status that ends an import when its token is no longer good.
pub(crate) fn token_expired() -> Status {
    service_kit::auth::Refusal::Expired.status(DOMAIN)
}

/// The status for what is not begun any more.
pub(crate) fn draining() -> Status {
    unavailable("DRAINING", "the service is draining")
}

fn unknown() -> Status {
    unavailable(
        "LOG_UNAVAILABLE",
        "the event log can't be reached; whether the command was done is unknown: \
         send it again with the same request_id",
    )
}

fn unavailable(reason: &'static str, message: &'static str) -> Status {
    DOMAIN
        .failure(Code::Unavailable, reason, message)
        .retry_after(AFTER_OUTAGE)
        .build()
}

fn refused(refusal: Refusal) -> Status {
    let (code, reason) = match refusal {
        Refusal::AlreadyExists => (Code::AlreadyExists, "CIRCLE_ID_USED"),
        Refusal::NotFound => (Code::NotFound, "CIRCLE_NOT_FOUND"),
        Refusal::Deleted => (Code::FailedPrecondition, "CIRCLE_DELETED"),
        Refusal::VersionMismatch { .. } => (Code::Aborted, "VERSION_MISMATCH"),
    };
    let failure = DOMAIN.failure(code, reason, refusal.to_string());
    match refusal {
        Refusal::VersionMismatch { present } => failure.metadata("present_version", present),
        _ => failure,
    }
    .build()
}
