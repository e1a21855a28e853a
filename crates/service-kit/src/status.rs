//! Builds `tonic::Status` with the details of `google.rpc` that clients can act upon.
//!
//! ```
//! use std::time::Duration;
//! use service_kit::status::Domain;
//! use tonic::Code;
//!
//! const DOMAIN: Domain = Domain::new("circles.v1");
//!
//! let conflict = DOMAIN
//!     .failure(Code::Aborted, "VERSION_CONFLICT", "the circle has another version by now")
//!     .metadata("present_version", 3)
//!     .build();
//! let full = DOMAIN
//!     .failure(Code::ResourceExhausted, "QUEUE_FULL", "too many commands at once")
//!     .retry_after(Duration::from_millis(200))
//!     .build();
//! # assert_eq!((conflict.code(), full.code()), (Code::Aborted, Code::ResourceExhausted));
//! ```

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status, metadata::MetadataMap};
use tonic_types::{ErrorDetails, StatusExt as _};

pub use tonic_types::FieldViolation;

/// Trailers have to stay under the few KiB that clients accept: a longer list is cut.
const MAX_VIOLATIONS: usize = 20;

/// Who defines the reasons of failures: the same text for every service of a system.
#[derive(Debug, Clone, Copy)]
pub struct Domain(&'static str);

impl Domain {
    /// Names the domain, such as `circles.v1`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Starts a failure. `reason` is a constant in UPPER_SNAKE_CASE that programs compare; `message` is for people.
    pub fn failure(self, code: Code, reason: &'static str, message: impl Into<String>) -> Failure {
        Failure {
            code,
            domain: self.0,
            reason,
            message: message.into(),
            metadata: HashMap::new(),
            details: ErrorDetails::new(),
            retry_after: None,
        }
    }

    /// INVALID_ARGUMENT, reason `INVALID_FIELDS`, with all the fields that are wrong (the first twenty of a long list).
    #[must_use]
    pub fn invalid_fields(self, mut violations: Vec<FieldViolation>) -> Status {
        let count = violations.len();
        violations.truncate(MAX_VIOLATIONS);
        let mut message = String::from("invalid: ");
        for (index, violation) in violations.iter().enumerate() {
            message.push_str(if index == 0 { "" } else { "; " });
            message.push_str(&violation.field);
            message.push_str(": ");
            message.push_str(&violation.description);
        }
        if count > MAX_VIOLATIONS {
            message.push_str(&format!("; and {} more", count - MAX_VIOLATIONS));
        }
        let mut failure = self.failure(Code::InvalidArgument, "INVALID_FIELDS", message);
        failure.details.set_bad_request(violations);
        failure.build()
    }

    /// INTERNAL, reason `INTERNAL`, always with the same text: the cause belongs into the log, not to the caller.
    #[must_use]
    pub fn internal(self) -> Status {
        self.failure(Code::Internal, "INTERNAL", "internal error")
            .build()
    }
}

/// A status in the making.
#[derive(Debug)]
#[must_use]
pub struct Failure {
    code: Code,
    domain: &'static str,
    reason: &'static str,
    message: String,
    metadata: HashMap<String, String>,
    details: ErrorDetails,
    retry_after: Option<Duration>,
}

impl Failure {
    /// Adds a fact for programs to the ErrorInfo.
    pub fn metadata(mut self, key: &str, value: impl ToString) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// Tells when it is worth another try: RetryInfo, and `grpc-retry-pushback-ms`, which gRPC clients with a
    /// retry policy obey by themselves.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// The status.
    #[must_use]
    pub fn build(mut self) -> Status {
        let mut trailers = MetadataMap::new();
        if let Some(delay) = self.retry_after {
            self.details.set_retry_info(Some(delay));
            // A client reads it as a 32 bit number.
            let millis = i32::try_from(delay.as_millis()).unwrap_or(i32::MAX);
            trailers.insert("grpc-retry-pushback-ms", millis.into());
        }
        self.details
            .set_error_info(self.reason, self.domain, self.metadata);
        Status::with_error_details_and_metadata(self.code, self.message, self.details, trailers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: Domain = Domain::new("test.v1");

    #[test]
    fn a_failure_names_its_reason() {
        let status = DOMAIN
            .failure(Code::Aborted, "VERSION_CONFLICT", "another version")
            .metadata("present_version", 3)
            .build();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Aborted, "another version")
        );
        let info = status.get_details_error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("VERSION_CONFLICT", "test.v1")
        );
        assert_eq!(info.metadata["present_version"], "3");
        assert!(status.get_details_retry_info().is_none());
    }

    #[test]
    fn a_delay_is_told_in_both_ways() {
        let status = DOMAIN
            .failure(Code::Unavailable, "DRAINING", "draining")
            .retry_after(Duration::from_millis(1_500))
            .build();
        let retry = status.get_details_retry_info().unwrap();
        assert_eq!(retry.retry_delay, Some(Duration::from_millis(1_500)));
        assert_eq!(
            status.metadata().get("grpc-retry-pushback-ms").unwrap(),
            "1500"
        );
        assert!(status.get_details_error_info().is_some());
    }

    #[test]
    fn all_invalid_fields_at_once() {
        let violations = vec![
            FieldViolation::new("name", "must not be empty"),
            FieldViolation::new("capacity", "must be at least 3"),
        ];
        let status = DOMAIN.invalid_fields(violations);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(
            status.message(),
            "invalid: name: must not be empty; capacity: must be at least 3"
        );
        let request = status.get_details_bad_request().unwrap();
        let fields: Vec<_> = request
            .field_violations
            .iter()
            .map(|v| v.field.as_str())
            .collect();
        assert_eq!(fields, ["name", "capacity"]);
        assert_eq!(
            status.get_details_error_info().unwrap().reason,
            "INVALID_FIELDS"
        );
    }

    #[test]
    fn a_long_list_still_fits_into_trailers() {
        let violations = (0..1_000).map(|i| {
            FieldViolation::new(format!("circle_ids[{i}]"), "must be a UUID in lower case")
        });
        let status = DOMAIN.invalid_fields(violations.collect());
        assert!(
            status.message().ends_with("; and 980 more"),
            "{}",
            status.message()
        );
        assert_eq!(
            status
                .get_details_bad_request()
                .unwrap()
                .field_violations
                .len(),
            MAX_VIOLATIONS
        );
        // Base64 makes the details a third longer.
        assert!(status.message().len() + status.details().len() * 4 / 3 < 6 * 1_024);
    }

    #[test]
    fn an_internal_error_tells_nothing() {
        let status = DOMAIN.internal();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Internal, "internal error")
        );
        assert_eq!(status.get_details_error_info().unwrap().reason, "INTERNAL");
    }
}
