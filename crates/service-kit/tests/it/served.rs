//! What every server answers besides its own calls.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use service_kit::{
    check::{CheckError, check},
    health::Readiness,
    server::{Options, Server, ServerError},
};
use tokio::net::TcpListener;
use tonic::{Code, service::Routes};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_reflection::pb::{v1, v1alpha};

use crate::support::{PATIENCE, health, soon, start, start_with};

#[tokio::test]
async fn health_is_told_for_the_process_and_its_services() {
    let running = start(PATIENCE).await;
    let channel = running.connect().await;
    for service in ["", "test.v1.Slow"] {
        assert_eq!(
            health(channel.clone(), service).await,
            Ok(ServingStatus::NotServing as i32)
        );
    }
    running.readiness.set(true);
    for service in ["", "test.v1.Slow"] {
        assert_eq!(
            health(channel.clone(), service).await,
            Ok(ServingStatus::Serving as i32)
        );
    }
    assert_eq!(health(channel, "test.v1.Other").await, Err(Code::NotFound));
}

#[tokio::test]
async fn check_succeeds_only_when_serving() {
    let running = start(PATIENCE).await;
    let everywhere = ([0, 0, 0, 0], running.address.port()).into();
    let refused = check(everywhere).await.unwrap_err();
    assert!(
        matches!(refused, CheckError::NotServing { .. }),
        "{refused}"
    );
    assert_eq!(
        refused.to_string(),
        format!("{} is NOT_SERVING", running.address)
    );

    running.readiness.set(true);
    check(running.address).await.unwrap();
    check(everywhere).await.unwrap();

    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let refused = check(nobody).await.unwrap_err();
    assert!(matches!(refused, CheckError::Connect { .. }), "{refused}");

    // One that accepts and stays silent.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = check(silent.local_addr().unwrap()).await.unwrap_err();
    assert!(matches!(refused, CheckError::TimedOut { .. }), "{refused}");
}

#[tokio::test]
async fn reflection_lists_and_describes_in_v1() {
    use v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let running = start(PATIENCE).await;
    let mut client = ServerReflectionClient::new(running.connect().await);
    let requests = [
        MessageRequest::ListServices(String::new()),
        MessageRequest::FileContainingSymbol("google.rpc.ErrorInfo".to_owned()),
    ]
    .map(|request| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(request),
    });
    let mut answers = soon(client.server_reflection_info(tokio_stream::iter(requests)))
        .await
        .unwrap()
        .into_inner();

    let Some(MessageResponse::ListServicesResponse(list)) = soon(answers.message())
        .await
        .unwrap()
        .unwrap()
        .message_response
    else {
        panic!("not a list");
    };
    let names: Vec<_> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    assert_eq!(
        names,
        // Not what else the descriptor set describes: that is served elsewhere.
        ["test.v1.Slow", "grpc.health.v1.Health"]
    );

    // From the descriptor set that the service handed over.
    let described = soon(answers.message())
        .await
        .unwrap()
        .unwrap()
        .message_response;
    assert!(
        matches!(described, Some(MessageResponse::FileDescriptorResponse(_))),
        "{described:?}"
    );
}

#[tokio::test]
async fn reflection_lists_in_v1alpha() {
    use v1alpha::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let running = start(PATIENCE).await;
    let mut client = ServerReflectionClient::new(running.connect().await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = soon(client.server_reflection_info(tokio_stream::once(request)))
        .await
        .unwrap()
        .into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) = soon(answers.message())
        .await
        .unwrap()
        .unwrap()
        .message_response
    else {
        panic!("not a list");
    };
    assert!(
        list.service
            .iter()
            .any(|service| service.name == "grpc.health.v1.Health"),
        "{list:?}"
    );
}

#[tokio::test]
async fn reflection_can_be_turned_off() {
    let options = Options {
        reflection: false,
        ..Options::default()
    };
    let running = start_with(options).await;
    running.readiness.set(true);
    let channel = running.connect().await;
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let asked = client.server_reflection_info(tokio_stream::empty());
    assert_eq!(soon(asked).await.unwrap_err().code(), Code::Unimplemented);
    let mut client =
        v1alpha::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let asked = client.server_reflection_info(tokio_stream::empty());
    assert_eq!(soon(asked).await.unwrap_err().code(), Code::Unimplemented);
    assert_eq!(health(channel, "").await, Ok(ServingStatus::Serving as i32));
}

#[test]
fn a_malformed_descriptor_set_is_refused() {
    let refused = Server::new(
        Routes::default(),
        b"not a descriptor set",
        Readiness::new(["test.v1.Slow"]),
        Options::default(),
    );
    assert!(matches!(refused, Err(ServerError::Descriptors(_))));
}

/// The settings frame is the first that a server sends: 9 bytes of header, then pairs of 2 bytes name and 4 bytes value.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_number_of_streams_is_limited() {
    const MAX_CONCURRENT_STREAMS: u16 = 3;
    let running = start(PATIENCE).await;
    let mut socket = TcpStream::connect(running.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .unwrap();
    let mut header = [0; 9];
    socket.read_exact(&mut header).unwrap();
    assert_eq!(header[3], 4, "not a settings frame");
    let mut settings = vec![0; usize::from(header[2])];
    socket.read_exact(&mut settings).unwrap();
    let limit = settings
        .chunks_exact(6)
        .find(|pair| pair[..2] == MAX_CONCURRENT_STREAMS.to_be_bytes())
        .map(|pair| u32::from_be_bytes(pair[2..].try_into().unwrap()));
    assert_eq!(limit, Some(1_024));
    drop(socket);
    assert_eq!(
        soon(running.stop()).await.unwrap().unwrap(),
        service_kit::server::Drain::Complete
    );
}

#[test]
fn the_drain_timeout_is_ten_seconds_unless_told() {
    assert_eq!(Options::default().drain_timeout, Duration::from_secs(10));
}
