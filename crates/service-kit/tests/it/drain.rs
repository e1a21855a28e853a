//! How a server ends.

use std::time::{Duration, Instant};

use service_kit::server::Drain;
use tokio::net::TcpStream;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::support::{PATIENCE, health, soon, start};

/// Far above what a drain takes that has nothing to wait for, far below `PATIENCE`.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn connections_without_calls_do_not_hold_it() {
    let running = start(PATIENCE).await;
    let idle = running.connect().await;
    let used = running.connect().await;
    health(used.clone(), "").await.unwrap();

    let address = running.address;
    let started = Instant::now();
    assert_eq!(
        soon(running.stop()).await.unwrap().unwrap(),
        Drain::Complete
    );
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());

    assert!(
        TcpStream::connect(address).await.is_err(),
        "the port is still open"
    );
    drop((idle, used));
}

#[tokio::test]
async fn health_turns_first_and_watchers_do_not_hold_it() {
    let running = start(PATIENCE).await;
    running.readiness.set(true);
    let call = running.slow_call(running.connect().await).await;
    let mut watcher = HealthClient::new(running.connect().await);
    let mut watch = soon(watcher.watch(HealthCheckRequest::default()))
        .await
        .unwrap()
        .into_inner();
    let mut next = async || {
        soon(watch.message())
            .await
            .unwrap()
            .map(|answer| answer.status())
    };
    assert_eq!(next().await, Some(ServingStatus::Serving));

    let (readiness, slow) = (running.readiness.clone(), running.slow.clone());
    let stopped = running.stop();
    assert_eq!(next().await, Some(ServingStatus::NotServing));
    assert_eq!(next().await, None);
    soon(readiness.draining()).await;
    readiness.set(true);
    assert!(!readiness.is_ready(), "ready again while draining");

    // The running call was not cut off, and it is all that the drain still waits for.
    assert!(!stopped.is_finished());
    slow.released.add_permits(1);
    let status = soon(call).await.unwrap();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Aborted, "released")
    );
    assert_eq!(soon(stopped).await.unwrap().unwrap(), Drain::Complete);
}

#[tokio::test]
async fn a_call_that_hangs_holds_it_to_its_limit_only() {
    let limit = Duration::from_millis(300);
    let running = start(limit).await;
    let call = running.slow_call(running.connect().await).await;
    let started = Instant::now();
    assert_eq!(
        soon(running.stop()).await.unwrap().unwrap(),
        Drain::TimedOut
    );
    assert!(started.elapsed() >= limit, "{:?}", started.elapsed());
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    call.abort();
}
