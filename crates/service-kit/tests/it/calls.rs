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

use crate::raw::{DATA, END_HEADERS, END_STREAM, HEADERS, Raw, WINDOW_UPDATE, head};
use crate::support::{
    self, MAX_CALLS, MAX_STREAMS, PATIENCE, Running, Slow, call_slow, calls, health, soon, start,
    start_with,
};

/// A call without a client between, whose own timer might be the faster one.
async fn call_within(calls: &mut Calls<Slow>, timeout: &str) -> Status {
    let request = http::Request::builder()
        .uri(support::CALL)
        .header("grpc-timeout", timeout);
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

const TELL: &str = "/test.v1.Slow/Tell";
const WATCH: &str = "/test.v1.Slow/Watch";

/// A client that calls so often, and takes the heads of the answers, but not what they tell.
async fn without_room(server: &Running, path: &str, calls: usize) -> Raw {
    let mut raw = Raw::connect_without_room(server.address).await;
    for stream in (1..).step_by(2).take(calls) {
        let flags = END_HEADERS | END_STREAM;
        let sent = raw.send(HEADERS, flags, stream, &head(path)).await;
        sent.unwrap();
        raw.until(HEADERS).await;
    }
    raw
}

/// Why a call gets no place, if so. One that gets one has no details: what it is told makes no sense.
async fn refusal(server: &Running, path: &'static str) -> Option<String> {
    let request = Request::new(HealthCheckRequest::default());
    let status = soon(support::call(server.connect().await, path, request)).await;
    status.get_details_error_info().map(|info| info.reason)
}

/// Waits until there is a place for a call.
async fn admitted(server: &Running, path: &'static str) {
    soon(async { while refusal(server, path).await.is_some() {} }).await;
}

#[tokio::test]
async fn a_call_counts_until_its_answer_is_taken() {
    let server = start(PATIENCE).await;
    let too_many = Some("TOO_MANY_CALLS".to_owned());
    let mut raw = without_room(&server, TELL, MAX_CALLS).await;
    assert_eq!(refusal(&server, TELL).await, too_many);
    // A stream is no call.
    assert_eq!(refusal(&server, WATCH).await, None);

    let one = 1_024_u32.to_be_bytes();
    raw.send(WINDOW_UPDATE, 0, 1, &one).await.unwrap();
    assert_eq!(raw.until(DATA).await, b"a text");
    admitted(&server, TELL).await;
}

#[tokio::test]
async fn streams_have_places_of_their_own() {
    let server = start(PATIENCE).await;
    let raw = without_room(&server, WATCH, MAX_STREAMS).await;
    let too_many = Some("TOO_MANY_STREAMS".to_owned());
    assert_eq!(refusal(&server, WATCH).await, too_many);
    let _calls = without_room(&server, TELL, MAX_CALLS).await;
    // Those of a client that vanishes come back.
    drop(raw);
    admitted(&server, WATCH).await;
}
