//! What a server tells of its calls, and to whom.

use std::{net::SocketAddr, time::Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Request, codegen::http::uri::PathAndQuery, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};

use crate::support::{PATIENCE, health, soon, start};

/// Sends a request as it stands; the whole answer, to its end.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = soon(TcpStream::connect(address)).await.unwrap();
    soon(stream.write_all(request.as_bytes())).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

async fn scrape(address: SocketAddr) -> String {
    let answer = ask(address, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    body.to_owned()
}

/// Scrapes until a line is there. A call is counted when its answer has left, which may be later than its client has it.
async fn until(address: SocketAddr, line: &str) -> String {
    let begun = Instant::now();
    loop {
        let text = scrape(address).await;
        if text.lines().any(|known| known == line) {
            return text;
        }
        assert!(begun.elapsed() < PATIENCE, "{line} is not in\n{text}");
        tokio::task::yield_now().await;
    }
}

fn count_of(method: &str, code: &str, count: u64) -> String {
    format!(
        "rpc_server_call_duration_seconds_count{{rpc_method=\"{method}\",rpc_response_status_code=\"{code}\",\
         rpc_system=\"grpc\"}} {count}"
    )
}

async fn call(channel: Channel, path: &str) {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = PathAndQuery::try_from(path).unwrap();
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
    let request = Request::new(HealthCheckRequest::default());
    soon(client.unary(request, path, codec))
        .await
        .expect_err("no such method");
}

const CHECK: &str = "grpc.health.v1.Health/Check";

#[tokio::test]
async fn calls_are_counted_by_method_and_status() {
    let running = start(PATIENCE).await;
    let channel = running.connect().await;
    for _ in 0..3 {
        health(channel.clone(), "").await.unwrap();
    }
    for _ in 0..2 {
        health(channel.clone(), "test.v1.Other").await.unwrap_err();
    }
    until(running.metrics, &count_of(CHECK, "OK", 3)).await;
    let text = until(running.metrics, &count_of(CHECK, "NOT_FOUND", 2)).await;
    let bucket = format!(
        "rpc_server_call_duration_seconds_bucket{{rpc_method=\"{CHECK}\",rpc_response_status_code=\"OK\",\
         rpc_system=\"grpc\",le=\"10\"}} 3"
    );
    assert!(text.contains(&bucket), "{text}");
    assert!(
        text.contains("# TYPE rpc_server_call_duration_seconds histogram\n"),
        "{text}"
    );
    // Each line of a sample is preceded by its name's help.
    assert!(
        text.contains("# HELP rpc_server_call_duration_seconds "),
        "{text}"
    );
}

#[tokio::test]
async fn a_stream_counts_when_it_ends() {
    let running = start(PATIENCE).await;
    let mut client = HealthClient::new(running.connect().await);
    let watching = client.watch(HealthCheckRequest::default());
    let mut watch = soon(watching).await.unwrap().into_inner();
    soon(watch.message()).await.unwrap();
    let watched = "grpc.health.v1.Health/Watch";
    let text = until(running.metrics, "rpc_server_calls_in_flight 1").await;
    assert!(text.contains(&count_of(watched, "OK", 0)), "{text}");
    // A client that goes away ends it, too.
    drop((watch, client));
    until(running.metrics, &count_of(watched, "CANCELLED", 1)).await;
    until(running.metrics, "rpc_server_calls_in_flight 0").await;
}

#[tokio::test]
async fn methods_that_are_not_known_are_one() {
    let running = start(PATIENCE).await;
    let channel = running.connect().await;
    for path in [
        "/test.v1.Unknown/A",
        "/grpc.health.v1.Health/B",
        "/google.C/D",
    ] {
        call(channel.clone(), path).await;
    }
    let text = until(running.metrics, &count_of("_OTHER", "UNIMPLEMENTED", 3)).await;
    for unknown in ["Unknown", "Health/B", "google"] {
        assert!(!text.contains(unknown), "{text}");
    }
}

#[tokio::test]
async fn only_one_question_is_answered() {
    let running = start(PATIENCE).await;
    for (request, answer) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 "),
        ("POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 "),
        ("\0\0\0\r\n\r\n", "HTTP/1.1 400 "),
        // What speaks HTTP/2 is hung up on.
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
    ] {
        let answered = ask(running.metrics, request).await;
        assert!(answered.starts_with(answer), "{request:?}: {answered}");
        assert!(!answered.contains(" 200 "), "{request:?}: {answered}");
    }
    let head = ask(running.metrics, "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        head.contains("\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{head}"
    );
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    let long = format!(
        "GET /metrics HTTP/1.1\r\nA: {}\r\n\r\n",
        "a".repeat(1 << 20)
    );
    let mut stream = soon(TcpStream::connect(running.metrics)).await.unwrap();
    // It may be refused before all of it is sent.
    let _ = soon(stream.write_all(long.as_bytes())).await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200 "));
}

/// More of them than are served at the same time.
#[tokio::test]
async fn clients_that_say_nothing_do_not_keep_others_out() {
    let running = start(PATIENCE).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(soon(TcpStream::connect(running.metrics)).await.unwrap());
    }
    scrape(running.metrics).await;
    // Nor does it matter to calls.
    health(running.connect().await, "").await.unwrap();
}

#[tokio::test]
async fn metrics_are_there_during_the_drain_and_not_after_it() {
    let running = start(PATIENCE).await;
    let metrics = running.metrics;
    let slow = running.slow.clone();
    let call = running.slow_call(running.connect().await).await;
    let readiness = running.readiness.clone();
    let ended = running.stop();
    soon(readiness.draining()).await;
    let text = scrape(metrics).await;
    assert!(text.contains("rpc_server_calls_in_flight 1\n"), "{text}");
    slow.released.add_permits(1);
    soon(call).await.unwrap();
    soon(ended).await.unwrap().unwrap();
    soon(TcpStream::connect(metrics)).await.unwrap_err();
}
