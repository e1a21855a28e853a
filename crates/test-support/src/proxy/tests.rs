use std::io::ErrorKind;
use std::time::Instant;

use super::*;
use crate::hosted::soon;

/// How long silence has to last to count as such.
const SILENCE: Duration = Duration::from_millis(100);

/// A server that sends everything back, behind a proxy, and a client.
async fn echo() -> (Proxy, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    let mut client = connect(&proxy).await;
    says(&mut client, "first").await;
    (proxy, client)
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

async fn says(client: &mut TcpStream, text: &str) {
    client.write_all(text.as_bytes()).await.unwrap();
    hears(client, text).await;
}

async fn hears(client: &mut TcpStream, text: &str) {
    let mut heard = vec![0; text.len()];
    soon(client.read_exact(&mut heard)).await.unwrap();
    assert_eq!(String::from_utf8(heard).unwrap(), text);
}

async fn hears_nothing(client: &mut TcpStream) {
    let heard = tokio::time::timeout(SILENCE, client.read_u8()).await;
    assert!(heard.is_err(), "{heard:?}");
}

async fn is_reset(client: &mut TcpStream) {
    let error = soon(client.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
}

#[tokio::test]
async fn what_is_delayed_comes_later() {
    let (proxy, mut client) = echo().await;
    proxy.spoil(Direction::ToServer, Fault::Delay(SILENCE));
    proxy.spoil(Direction::ToClient, Fault::Delay(SILENCE));
    let begun = Instant::now();
    says(&mut client, "slow").await;
    assert!(begun.elapsed() >= SILENCE * 2);
}

#[tokio::test]
async fn what_is_stalled_comes_when_it_is_healed() {
    for direction in [Direction::ToServer, Direction::ToClient] {
        let (proxy, mut client) = echo().await;
        proxy.spoil(direction, Fault::Stall);
        client.write_all(b"late").await.unwrap();
        hears_nothing(&mut client).await;
        proxy.heal();
        hears(&mut client, "late").await;
    }
}

#[tokio::test]
async fn a_cut_lets_just_so_many_bytes_pass() {
    for direction in [Direction::ToServer, Direction::ToClient] {
        let (proxy, mut client) = echo().await;
        proxy.spoil(direction, Fault::Cut { after: 3 });
        client.write_all(b"abc").await.unwrap();
        hears(&mut client, "abc").await;
        client.write_all(b"def").await.unwrap();
        is_reset(&mut client).await;
        // A later one gets nothing through, until it is healed.
        let mut next = connect(&proxy).await;
        next.write_all(b"x").await.unwrap();
        is_reset(&mut next).await;
        proxy.heal();
        says(&mut connect(&proxy).await, "whole").await;
    }
}

#[tokio::test]
async fn a_connection_can_be_closed_in_the_middle() {
    let (proxy, mut client) = echo().await;
    proxy.spoil(Direction::ToClient, Fault::Close { after: 3 });
    client.write_all(b"abcdef").await.unwrap();
    hears(&mut client, "abc").await;
    let error = soon(client.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
}

#[tokio::test]
async fn what_is_lost_never_comes() {
    let (proxy, mut client) = echo().await;
    proxy.spoil(Direction::ToServer, Fault::Lose);
    client.write_all(b"gone").await.unwrap();
    hears_nothing(&mut client).await;
    proxy.heal();
    client.write_all(b"gone too").await.unwrap();
    hears_nothing(&mut client).await;
    says(&mut connect(&proxy).await, "anew").await;
}

#[tokio::test]
async fn a_reset_ends_the_connections_and_new_ones_go_where_it_leads() {
    let (proxy, mut client) = echo().await;
    proxy.reset();
    is_reset(&mut client).await;
    says(&mut connect(&proxy).await, "again").await;
    // Nobody is there.
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = unused.local_addr().unwrap();
    drop(unused);
    proxy.lead_to(nobody);
    is_reset(&mut connect(&proxy).await).await;
}
