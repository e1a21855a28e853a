//! Clients that connect and then say nothing.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use test_support::metrics::Scrape;
use test_support::mysql::Engine;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::client::{create, until_visible};
use crate::support::{System, turns};

const CONNECTIONS: usize = 10_000;

/// What each may take of the service's memory, in bytes: less than twice what it does.
const EACH: usize = 64 << 10;

/// The preface of HTTP/2 and a SETTINGS frame without any.
const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_hold_nobody_up() {
    let limit = getrlimit(Resource::Nofile);
    let needed = CONNECTIONS as u64 + 1_000;
    assert!(
        limit.maximum.is_none_or(|maximum| maximum >= needed),
        "{needed} open files are needed: see `ulimit -Hn`"
    );
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();

    let system = System::start(Engine::MariaDb).await;
    let services = &system.services;
    turns(&services.command, ServingStatus::Serving).await;
    turns(&services.query, ServingStatus::Serving).await;
    let before = services.command.memory();
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(services.command.address())
            .await
            .unwrap();
        stream.write_all(BEGINNING).await.unwrap();
        idle.push(stream);
    }
    let metrics = services.command.metrics().await;
    Scrape::until(metrics, "all connections", |told| {
        told.get("circles_connections") >= Some(CONNECTIONS as f64)
    })
    .await;
    let each = services.command.memory().saturating_sub(before) / CONNECTIONS;
    assert!(each < EACH, "{each} bytes for each connection");

    let (id, sequence) = create(services, "football").await;
    until_visible(services, &id, sequence).await;
    turns(&services.command, ServingStatus::Serving).await;
    drop(idle);
}
