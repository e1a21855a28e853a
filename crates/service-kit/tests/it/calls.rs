//! What surrounds every call: its deadline, and the limit of all calls.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use service_kit::{calls::Calls, server::Options};
use tonic::{
    Code, Request, Status,
    body::Body,
    codegen::{Service as _, http},
};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
use tonic_types::StatusExt as _;

use crate::support::{
    MAX_CALLS, PATIENCE, Slow, call_slow, calls, health, soon, start, start_with,
};

/// A call without a client between, whose own timer might be the faster one.
async fn call_within(calls: &mut Calls<Slow>, timeout: &str) -> Status {
    let request = http::Request::builder().header("grpc-timeout", timeout);
    let answer = calls.call(request.body(Body::empty()).unwrap());
    let answer = soon(answer).await.unwrap();
    Status::from_header_map(answer.headers()).unwrap()
}

fn reason(status: &Status) -> (Code, String) {
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.domain, "test.v1");
    (status.code(), info.reason)
}

#[tokio::test]
async fn a_call_is_over_at_its_deadline() {
    let slow = Slow::new();
    let options = Options {
        max_calls: 1,
        ..Options::default()
    };
    let mut calls = calls(slow.clone(), &options);
    for _ in 0..3 {
        let status = call_within(&mut calls, "20m").await;
        let expected = (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned());
        assert_eq!(reason(&status), expected);
    }
    // They gave back their places. A deadline that does not pass changes nothing.
    slow.released.add_permits(1);
    let status = call_within(&mut calls, "99999999H").await;
    assert_eq!(status.code(), Code::Aborted);
}

#[tokio::test]
async fn a_client_that_calls_too_fast_is_told_when_to_go_on() {
    let server = start_with(Options {
        rate_per_client: NonZeroU32::new(3),
        ..Options::default()
    })
    .await;
    server.readiness.set(true);
    server.slow.released.add_permits(100);
    let channel = server.connect().await;
    let call = || {
        let request = Request::new(HealthCheckRequest::default());
        soon(call_slow(channel.clone(), request))
    };
    let begun = Instant::now();
    let mut answered = 0;
    let refused = loop {
        let status = call().await;
        if status.code() != Code::Aborted {
            break status;
        }
        answered += 1;
        // On a slow machine there is time for more than the first three.
        assert!(f64::from(answered) <= 4.0 + 3.0 * begun.elapsed().as_secs_f64());
    };
    assert!(answered >= 3, "{answered}");
    let expected = (Code::ResourceExhausted, "TOO_FAST".to_owned());
    assert_eq!(reason(&refused), expected);
    let wait = refused
        .get_details_retry_info()
        .unwrap()
        .retry_delay
        .unwrap();
    assert!(wait <= Duration::from_secs(1), "{wait:?}");
    // Health is asked as often as anybody likes.
    for _ in 0..10 {
        assert_eq!(health(channel.clone(), "").await, Ok(1));
    }
    tokio::time::sleep(wait).await;
    assert_eq!(call().await.code(), Code::Aborted);
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
