//! Connections that don't behave, and how little the others notice.

use std::time::Duration;

use service_kit::server::Options;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, Request, metadata::MetadataValue};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    raw::{CONTINUATION, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, Raw, field, head},
    support::{CALL, Running, call_slow, connect, health, soon, start, start_with},
};

/// As HTTP/2 names it: the other end behaves in a way that might be generating excessive load.
const ENHANCE_YOUR_CALM: u32 = 11;

async fn quick() -> Running {
    start_with(Options {
        handshake_timeout: Duration::from_millis(200),
        ..Options::default()
    })
    .await
}

/// Whether others are answered.
async fn answers(server: &Running) -> bool {
    server.slow.released.add_permits(1);
    let request = Request::new(HealthCheckRequest::default());
    call_slow(server.connect().await, request).await.code() == Code::Aborted
}

#[tokio::test]
async fn who_does_not_begin_is_cut_off() {
    let server = quick().await;
    for first in [&b""[..], b"PRI * HTTP/2.0\r\n"] {
        let mut silent = TcpStream::connect(server.address).await.unwrap();
        silent.write_all(first).await.unwrap();
        assert!(answers(&server).await);
        assert_eq!(soon(silent.read(&mut [0])).await.unwrap_or(0), 0);
    }
}

#[tokio::test]
async fn who_speaks_something_else_is_cut_off_at_once() {
    let server = start(Duration::ZERO).await;
    let mut browser = TcpStream::connect(server.address).await.unwrap();
    browser.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    // Sooner than the time to begin, which is longer than `soon`'s patience would be of use for.
    assert_eq!(soon(browser.read(&mut [0])).await.unwrap_or(0), 0);
    assert!(answers(&server).await);
}

#[tokio::test]
async fn there_are_so_many_connections_and_the_health_is_told_besides() {
    let server = start_with(Options {
        max_connections: 2,
        ..Options::default()
    })
    .await;
    server.readiness.set(true);
    let one = Raw::connect(server.address).await;
    let other = Raw::connect(server.address).await;
    let refused = async || {
        let mut third = TcpStream::connect(server.address).await.unwrap();
        let _ = third.write_all(b"PRI").await;
        matches!(soon(third.read(&mut [0])).await, Ok(0) | Err(_))
    };
    // Those before it may not have been accepted yet.
    while !refused().await {}
    assert_eq!(health(connect(server.health).await, "").await, Ok(1));

    drop((one, other));
    // Once the server has noticed.
    soon(async {
        loop {
            let endpoint =
                tonic::transport::Endpoint::from_shared(format!("http://{}", server.address));
            if let Ok(channel) = endpoint.unwrap().connect().await
                && health(channel, "").await == Ok(1)
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_listener_of_the_health_has_nothing_else() {
    let server = start(Duration::ZERO).await;
    let channel = connect(server.health).await;
    assert_eq!(health(channel.clone(), "liveness").await, Ok(1));
    let request = Request::new(HealthCheckRequest::default());
    assert_eq!(
        call_slow(channel, request).await.code(),
        Code::Unimplemented
    );
}

#[tokio::test]
async fn a_head_of_any_length_is_refused() {
    let server = start(Duration::ZERO).await;
    let channel = server.connect().await;
    let mut request = Request::new(HealthCheckRequest::default());
    for number in 0..64 {
        let name: tonic::metadata::MetadataKey<_> = format!("x-{number}").parse().unwrap();
        let value = MetadataValue::try_from("x".repeat(1_000)).unwrap();
        request.metadata_mut().insert(name, value);
    }
    let refused = soon(HealthClient::new(channel).check(request)).await;
    assert!(refused.is_err());
    assert!(answers(&server).await);
}

#[tokio::test]
async fn a_head_without_an_end_closes_its_connection() {
    let server = start(Duration::ZERO).await;
    let mut flood = Raw::connect(server.address).await;
    flood
        .send(HEADERS, END_STREAM, 1, &head(CALL))
        .await
        .unwrap();
    let more: Vec<u8> = (0..100)
        .flat_map(|_| field("x", &"y".repeat(100)))
        .collect();
    // A hundred megabytes, of which the server takes as much as it allows a head to have, and some.
    let sent = async {
        for sent in 0..10_000 {
            if flood.send(CONTINUATION, 0, 1, &more).await.is_err() {
                return sent;
            }
        }
        10_000
    };
    assert!(soon(sent).await < 10_000, "it is cut off");
    assert!(answers(&server).await);
}

#[tokio::test]
async fn calls_that_are_taken_back_at_once_close_their_connection() {
    let server = start(Duration::ZERO).await;
    let mut flood = Raw::connect(server.address).await;
    let cut_off = async {
        for call in 0..1_000_000 {
            let stream = 2 * call + 1;
            let begun = flood.send(HEADERS, END_HEADERS, stream, &head(CALL)).await;
            // CANCEL
            let reset = flood.send(RST_STREAM, 0, stream, &[0, 0, 0, 8]).await;
            if begun.and(reset).is_err() {
                return true;
            }
        }
        false
    };
    assert!(soon(cut_off).await);
    // What the server said may be lost with what it did not read.
    assert!(matches!(
        flood.closed().await,
        None | Some(ENHANCE_YOUR_CALM)
    ));
    assert!(answers(&server).await);
}

#[tokio::test]
async fn clients_are_sent_to_look_for_others_now_and_then() {
    let server = start_with(Options {
        max_connection_age: Duration::from_millis(300),
        ..Options::default()
    })
    .await;
    let running = server.slow_call(server.connect().await).await;
    let mut raw = Raw::connect(server.address).await;
    raw.until(GOAWAY).await;
    // A call that runs then comes to its end.
    server.slow.released.add_permits(1);
    assert_eq!(soon(running).await.unwrap().code(), Code::Aborted);
}
