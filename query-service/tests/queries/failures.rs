//! What a failed call tells its client.

use std::fmt::Debug;

use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;

/// The code and the reason.
pub(crate) fn why(status: &Status) -> (Code, String) {
    let Some(info) = status.get_details_error_info() else {
        panic!("it gives no reason: {status:?}")
    };
    assert_eq!(info.domain, "circles.v1");
    (status.code(), info.reason)
}

/// The fields that an INVALID_ARGUMENT names, in its order.
pub(crate) fn invalid_fields<T: Debug>(result: Result<Response<T>, Status>) -> Vec<String> {
    let status = result.unwrap_err();
    assert_eq!(
        why(&status),
        (Code::InvalidArgument, "INVALID_FIELDS".into())
    );
    let request = status.get_details_bad_request().unwrap();
    let violations = request.field_violations;
    for violation in &violations {
        assert!(!violation.description.is_empty(), "{violation:?}");
        // People read the message, which says the same.
        let said = format!("{}: {}", violation.field, violation.description);
        assert!(status.message().contains(&said), "{}", status.message());
    }
    violations.into_iter().map(|one| one.field).collect()
}

/// An UNAVAILABLE for this reason, which tells in both ways when to try again.
pub(crate) fn assert_unavailable<T: Debug>(result: Result<Response<T>, Status>, reason: &str) {
    let status = result.unwrap_err();
    assert_eq!(why(&status), (Code::Unavailable, reason.to_owned()));
    let retry = status.get_details_retry_info();
    let delay = retry.and_then(|retry| retry.retry_delay).unwrap();
    let pushback = status.metadata().get("grpc-retry-pushback-ms").unwrap();
    assert_eq!(
        pushback.to_str().unwrap(),
        delay.as_millis().to_string().as_str()
    );
}
