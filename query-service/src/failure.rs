//! Every failure as a gRPC status, in one place.

use std::time::Duration;

use read_model::{Error, WatchError};
use service_kit::auth::Refusal;
use service_kit::program::chain;
use service_kit::status::{Domain, FieldViolation};
use tonic::{Code, Status};

use crate::queries::Failed;

/// Who defines the reasons.
pub(crate) const DOMAIN: Domain = Domain::new("circles.v1");

/// When to try again while Redis is away or empty.
const AFTER_OUTAGE: Duration = Duration::from_secs(1);

/// When to try again after the read model lagged.
const AFTER_LAG: Duration = Duration::from_millis(200);

/// The status for a query without an answer.
pub(crate) fn status(failed: &Failed) -> Status {
    match failed {
        Failed::DeadlineExceeded(_) => DOMAIN
            .failure(
                Code::DeadlineExceeded,
                "MIN_SEQUENCE_NOT_REACHED",
                failed.to_string(),
            )
            .build(),
        Failed::NotReached(_) => DOMAIN
            .failure(
                Code::Unavailable,
                "MIN_SEQUENCE_NOT_REACHED",
                failed.to_string(),
            )
            .retry_after(AFTER_LAG)
            .build(),
        Failed::Read(error @ Error::Unreachable(_)) => {
            tracing::warn!(error = %chain(error), "query failed");
            DOMAIN
                .failure(
                    Code::Unavailable,
                    "READ_MODEL_UNAVAILABLE",
                    "the read model can't be reached",
                )
                .retry_after(AFTER_OUTAGE)
                .build()
        }
        Failed::Read(Error::NotBuilt) => DOMAIN
            .failure(
                Code::Unavailable,
                "READ_MODEL_NOT_BUILT",
                "the read model is not built yet",
            )
            .retry_after(AFTER_OUTAGE)
            .build(),
        Failed::Read(Error::Parked { id, sequence }) => DOMAIN
            .failure(
                Code::FailedPrecondition,
                "CIRCLE_PARKED",
                format!("the circle {id} has an event that can't be shown"),
            )
            .metadata("circle_id", id)
            .metadata("sequence", sequence)
            .build(),
        Failed::Read(Error::ForeignPosition) => DOMAIN.invalid_fields(vec![FieldViolation::new(
            "page_token",
            "it was given for another list",
        )]),
        Failed::Read(error @ (Error::Corrupt { .. } | Error::Refused(_))) => {
            tracing::error!(error = %chain(error), "query failed");
            DOMAIN.internal()
        }
    }
}

/// The status for a circle that is not there.
pub(crate) fn not_found() -> Status {
    DOMAIN
        .failure(
            Code::NotFound,
            "CIRCLE_NOT_FOUND",
            "there is no such circle",
        )
        .build()
}

/// The status for a version that a circle does not have.
pub(crate) fn no_version() -> Status {
    DOMAIN
        .failure(
            Code::NotFound,
            "VERSION_NOT_FOUND",
            "the circle does not have this version",
        )
        .build()
}

/// The status that ends a watch, or that none begins with.
pub(crate) fn of_watch(error: WatchError) -> Status {
    let message = error.to_string();
    match error {
        WatchError::NotKept { from } => DOMAIN
            .failure(Code::OutOfRange, "CHANGES_NOT_KEPT", message)
            .metadata("from_sequence", from)
            .build(),
        WatchError::TooSlow { resume_from } => DOMAIN
            .failure(Code::ResourceExhausted, "WATCH_TOO_SLOW", message)
            .metadata("resume_from", resume_from)
            .retry_after(AFTER_LAG)
            .build(),
        WatchError::Read(error) => status(&Failed::Read(error)),
    }
}

/// The status that ends a watch when its client's token is no longer good.
pub(crate) fn token_expired() -> Status {
    Refusal::Expired.status(DOMAIN)
}

/// The status that ends a watch when the service stops.
pub(crate) fn draining() -> Status {
    DOMAIN
        .failure(Code::Unavailable, "DRAINING", "the service stops")
        .retry_after(AFTER_OUTAGE)
        .build()
}
