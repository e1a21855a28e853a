//! What becomes of an import's failures, with planted ones.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use circles_proto::circles::v1::{ImportFailure, ImportedCircle};
use fastrand::Rng;
use tonic_types::{ErrorDetails, StatusExt as _};

use super::*;
use crate::torture::client::Ways;
use crate::torture::recorder::Recorder;

type Answers = Vec<Result<ImportCirclesResponse, Status>>;

/// What is recorded of two requests: how they ended, and what nothing excuses.
async fn recorded(call: Result<Answers, Status>) -> ([Outcome; 2], Vec<String>) {
    let mut client = Client {
        rng: Rng::with_seed(1),
        persistent: false,
        ways: Ways {
            commands: Vec::new(),
            queries: Vec::new(),
        },
        recorder: Arc::new(Recorder::default()),
        own: 0,
    };
    let mut requests = client.some_creations();
    requests.truncate(2);
    let call = call.map(tokio_stream::iter);
    let deadline = Instant::now() + Duration::from_secs(10);
    client.attend(&mut requests, 1, call, deadline).await;
    let outcomes = [0, 1].map(|n: usize| requests[n].attempts[0].outcome.clone());
    (outcomes, client.recorder.take().unexcused)
}

fn created(n: i64) -> Result<ImportCirclesResponse, Status> {
    let created = ImportedCircle {
        circle_id: format!("c{n}"),
        version: 1,
        sequence: n,
    };
    Ok(ImportCirclesResponse {
        result: Some(Imported::Created(created)),
    })
}

fn done(n: u64) -> Outcome {
    Outcome::Acknowledged(system_tests::history::Answer {
        circle_id: format!("c{n}"),
        version: 1,
        sequence: n,
    })
}

fn told(code: Code, reason: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, "circles.v1", HashMap::new());
    Status::with_error_details(code, "told by the service", details)
}

#[tokio::test]
async fn what_goes_well_needs_no_excuse() {
    let (outcomes, unexcused) = recorded(Ok(vec![created(1), created(2)])).await;
    assert_eq!((outcomes, unexcused), ([done(1), done(2)], Vec::new()));
}

#[tokio::test]
async fn a_failure_is_excused_as_that_of_any_command() {
    for status in [
        told(Code::Unavailable, "STARTING"),
        told(Code::Unavailable, "DRAINING"),
        told(Code::ResourceExhausted, "TOO_MANY_CALLS"),
        told(Code::DeadlineExceeded, "DEADLINE"),
        Status::unknown("the connection is lost"),
    ] {
        let (outcomes, unexcused) = recorded(Err(status.clone())).await;
        assert_eq!(outcomes, [Outcome::Unknown, Outcome::Unknown], "{status:?}");
        assert_eq!(unexcused, [""; 0]);
        let (outcomes, unexcused) = recorded(Ok(vec![created(1), Err(status.clone())])).await;
        assert_eq!(outcomes, [done(1), Outcome::Unknown], "{status:?}");
        assert_eq!(unexcused, [""; 0]);
    }
}

#[tokio::test]
async fn any_other_failure_is_told_wherever_it_comes() {
    for status in [
        told(Code::Internal, "INTERNAL"),
        told(Code::Unauthenticated, "TOKEN_EXPIRED"),
        // They are of one circle, and this is of none.
        told(Code::NotFound, "CIRCLE_NOT_FOUND"),
        told(Code::AlreadyExists, "CIRCLE_ID_USED"),
    ] {
        for call in [
            Err(status.clone()),
            Ok(vec![Err(status.clone())]),
            Ok(vec![created(1), Err(status.clone())]),
        ] {
            let (_, unexcused) = recorded(call).await;
            assert_eq!(unexcused.len(), 1, "{status:?}: {unexcused:?}");
        }
    }
}

#[tokio::test]
async fn every_request_is_answered_where_the_stream_ends_well() {
    let (outcomes, unexcused) = recorded(Ok(vec![created(1)])).await;
    assert_eq!(outcomes, [done(1), Outcome::Unknown]);
    assert_eq!(unexcused.len(), 1, "{unexcused:?}");
}

#[tokio::test]
async fn a_failure_of_one_request_leaves_the_next_one_its_answer() {
    let failure = |code: Code, reason: &str, message: &str| {
        let failure = ImportFailure {
            code: code.into(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            violations: Vec::new(),
        };
        Ok(ImportCirclesResponse {
            result: Some(Imported::Failure(failure)),
        })
    };
    let unknown = failure(Code::Unavailable, "LOG_UNAVAILABLE", "it is unknown");
    let (outcomes, unexcused) = recorded(Ok(vec![unknown, created(2)])).await;
    assert_eq!(outcomes, [Outcome::Unknown, done(2)]);
    assert_eq!(unexcused, [""; 0]);
    let internal = failure(Code::Internal, "INTERNAL", "internal error");
    let (_, unexcused) = recorded(Ok(vec![internal, created(2)])).await;
    assert_eq!(unexcused.len(), 1, "{unexcused:?}");
}
