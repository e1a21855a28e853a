use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use circles_proto::circles::v1::GetCircleRequest;
use circles_proto::circles::v1::circle_query_service_client::CircleQueryServiceClient;
use tokio::time::timeout;
use tonic::transport::Endpoint;
use tonic_types::ErrorDetails;

use super::*;

/// How often a call is made that first ends like this, and then well.
async fn tries(status: &Status) -> u32 {
    let tries = Cell::new(0);
    let calling = call(&(), async |_| {
        tries.set(tries.get() + 1);
        match tries.get() {
            1 => Err(status.clone()),
            _ => Ok(Response::new(())),
        }
    });
    let _ = timeout(Duration::from_secs(5), calling).await.unwrap();
    tries.get()
}

/// What tonic says where a connection is lost after these bytes of the answer.
async fn lost(answer: &'static [u8]) -> Status {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let silence = Duration::from_millis(300);
        connection.set_read_timeout(Some(silence)).unwrap();
        // The whole request.
        while connection.read(&mut [0; 1_024]).is_ok_and(|read| read > 0) {}
        connection.write_all(answer).unwrap();
    });
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = CircleQueryServiceClient::new(endpoint.connect_lazy());
    let status = client.get_circle(GetCircleRequest::default()).await;
    server.join().unwrap();
    status.unwrap_err()
}

/// HTTP/2's settings.
const BEGINNING: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// The same, and the headers of an answer: `:status: 200`, `content-type: application/grpc`.
const HEAD: &[u8] =
    b"\0\0\0\x04\0\0\0\0\0\0\0\x14\x01\x04\0\0\0\x01\x88\x0f\x10\x10application/grpc";

#[tokio::test]
async fn what_passes_is_tried_again() {
    for code in [Code::Unavailable, Code::ResourceExhausted] {
        assert_eq!(tries(&Status::new(code, "later")).await, 2, "{code:?}");
    }
}

#[tokio::test]
async fn so_is_a_lost_connection() {
    for answer in [BEGINNING, HEAD] {
        let status = lost(answer).await;
        assert_ne!(status.code(), Code::Unavailable, "{status:?}");
        assert_eq!(tries(&status).await, 2, "{status:?}");
    }
}

#[tokio::test]
async fn what_the_service_refuses_is_not() {
    for code in [
        Code::NotFound,
        Code::Aborted,
        Code::Internal,
        Code::Unknown,
        Code::Cancelled,
        Code::DeadlineExceeded,
    ] {
        assert_eq!(tries(&Status::new(code, "no")).await, 1, "{code:?}");
    }
}

#[tokio::test]
async fn nobody_waits_beyond_the_deadline() {
    let mut details = ErrorDetails::new();
    details.set_retry_info(Some(DEADLINE));
    let status = Status::with_error_details(Code::Unavailable, "much later", details);
    assert_eq!(tries(&status).await, 1);
}
