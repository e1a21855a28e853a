//! Every failure as a gRPC status, in one place.

use std::time::Duration;

use read_model::Error;
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
