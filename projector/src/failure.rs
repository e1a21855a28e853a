//! Every failure as a gRPC status, in one place.

use std::time::Duration;

use event_store::StoreError;
use read_model::SpareError;
use service_kit::program::chain;
use service_kit::status::Domain;
use tonic::{Code, Status};

use crate::order::OrderError;
use crate::project::StepError;
use crate::spare::SwitchError;

/// Who defines the reasons.
pub(crate) const DOMAIN: Domain = Domain::new("circles.v1");

/// When to ask again while a server is away.
const AFTER_OUTAGE: Duration = Duration::from_secs(1);

/// The status of an order that was not carried out.
pub(crate) fn order(error: &OrderError) -> Status {
    match error {
        OrderError::NotLeader => not_leader(),
        OrderError::Superseded => superseded(),
        OrderError::Failed(error) => step(error),
    }
}

/// The status of a rebuild that failed.
pub(crate) fn rebuild(error: &SwitchError) -> Status {
    let precondition = |reason| {
        DOMAIN
            .failure(Code::FailedPrecondition, reason, error.to_string())
            .build()
    };
    match error {
        SwitchError::NotLeader => not_leader(),
        SwitchError::Superseded => superseded(),
        SwitchError::Spare(SpareError::Cluster) => precondition("NO_SPARE"),
        SwitchError::Spare(SpareError::InUse(_) | SpareError::NotEmpty(_)) => {
            precondition("SPARE_IN_USE")
        }
        SwitchError::Spare(SpareError::Redis(error)) | SwitchError::Unknown(error) => {
            read_model(error)
        }
        SwitchError::Spare(error @ SpareError::Setup(_)) => internal(error),
        SwitchError::Failed(error) => step(error),
    }
}

/// The status of a failure of the log or of the read models.
pub(crate) fn step(error: &StepError) -> Status {
    match error {
        StepError::Log(error) => log(error),
        StepError::ReadModel(error) => read_model(error),
    }
}

/// The status of a failure of the log.
pub(crate) fn log(error: &StoreError) -> Status {
    if error.is_transient() {
        tracing::warn!(error = %chain(error), "call failed");
        unavailable("LOG_UNAVAILABLE", "the event log can't be reached")
    } else {
        internal(error)
    }
}

pub(crate) fn read_model(error: &read_model::Error) -> Status {
    if error.is_transient() {
        tracing::warn!(error = %chain(error), "call failed");
        unavailable("READ_MODEL_UNAVAILABLE", "the read model can't be reached")
    } else {
        internal(error)
    }
}

fn internal(error: &dyn std::error::Error) -> Status {
    tracing::error!(error = %chain(error), "call failed");
    DOMAIN.internal()
}

/// The projector has not yet reached its servers.
pub(crate) fn starting() -> Status {
    unavailable("STARTING", "the projector is starting")
}

fn superseded() -> Status {
    unavailable(
        "SUPERSEDED",
        "another projector interfered, or the log lost its tail",
    )
}

fn not_leader() -> Status {
    DOMAIN
        .failure(
            Code::FailedPrecondition,
            "NOT_LEADER",
            "another projector works; ask that one",
        )
        .build()
}

/// There is no such hole to skip.
pub(crate) fn no_such_hole() -> Status {
    DOMAIN
        .failure(
            Code::FailedPrecondition,
            "NO_SUCH_HOLE",
            "the projection has not halted at this hole",
        )
        .build()
}

/// Neither the log nor the read models have the circle.
pub(crate) fn not_found() -> Status {
    DOMAIN
        .failure(
            Code::NotFound,
            "CIRCLE_NOT_FOUND",
            "there is no such circle",
        )
        .build()
}

fn unavailable(reason: &'static str, message: &str) -> Status {
    DOMAIN
        .failure(Code::Unavailable, reason, message)
        .retry_after(AFTER_OUTAGE)
        .build()
}
