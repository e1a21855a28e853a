//! What surrounds every call: its deadline, and the limit of all calls.

use tonic::{Code, Request, Status};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
use tonic_types::StatusExt as _;

use crate::support::{MAX_CALLS, PATIENCE, call_slow, health, soon, start};

/// As a header alone, so that the server has to keep it, not the client.
fn within(timeout: &'static str) -> Request<HealthCheckRequest> {
    let mut request = Request::new(HealthCheckRequest::default());
    let metadata = request.metadata_mut();
    metadata.insert("grpc-timeout", timeout.parse().unwrap());
    request
}

fn reason(status: &Status) -> (Code, String) {
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.domain, "test.v1");
    (status.code(), info.reason)
}

#[tokio::test]
async fn a_call_is_over_at_its_deadline() {
    let running = start(PATIENCE).await;
    for _ in 0..=MAX_CALLS {
        let status = soon(call_slow(running.connect().await, within("200m"))).await;
        let expected = (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned());
        assert_eq!(reason(&status), expected);
    }
    // They gave back their places. A deadline that does not pass changes nothing.
    running.slow.released.add_permits(1);
    let status = soon(call_slow(running.connect().await, within("99999999H"))).await;
    assert_eq!(status.code(), Code::Aborted);
}

#[tokio::test]
async fn calls_beyond_the_limit_are_turned_away_while_health_answers() {
    let running = start(PATIENCE).await;
    running.readiness.set(true);
    let channel = running.connect().await;
    let mut calls = Vec::new();
    for _ in 0..MAX_CALLS {
        // From several connections: the limit is one for all.
        calls.push(running.slow_call(running.connect().await).await);
    }
    let refused = soon(call_slow(
        channel.clone(),
        Request::new(HealthCheckRequest::default()),
    ))
    .await;
    let expected = (Code::ResourceExhausted, "TOO_MANY_CALLS".to_owned());
    assert_eq!(reason(&refused), expected);
    assert!(refused.get_details_retry_info().is_some(), "{refused:?}");
    assert_eq!(
        health(channel.clone(), "test.v1.Slow").await,
        Ok(ServingStatus::Serving as i32)
    );

    running.slow.released.add_permits(MAX_CALLS + 1);
    for call in calls {
        assert_eq!(soon(call).await.unwrap().code(), Code::Aborted);
    }
    let status = soon(call_slow(
        channel,
        Request::new(HealthCheckRequest::default()),
    ))
    .await;
    assert_eq!(status.code(), Code::Aborted);
}
