//! A gRPC client that costs little: HTTP/2 from the `h2` crate on one thread, no layers above it.
//!
//! The generator shares its machine with what it measures, so every microsecond that a
//! call costs here is missing there.

use std::future::poll_fn;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version};
use tokio::net::TcpStream;

use crate::grpc::{Rpc, status_name, unframe};

/// A call that did not end well. Counted by [`Failure::name`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The service answered with another status than OK.
    #[error("{name}: {message}")]
    Status { name: &'static str, message: String },
    /// The answer is no gRPC answer.
    #[error("malformed answer: {0}")]
    Malformed(&'static str),
    /// The connection broke, or the service reset the call.
    #[error("transport: {0}")]
    Transport(#[from] h2::Error),
}

impl Failure {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status { name, .. } => name,
            Self::Malformed(_) => "MALFORMED",
            Self::Transport(_) => "TRANSPORT",
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[error("no connection to {address}")]
pub(crate) struct ConnectError {
    address: String,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Some connections to one service. Has to live on a [`tokio::runtime::LocalRuntime`].
#[derive(Clone)]
pub(crate) struct Client {
    connections: Rc<[SendRequest<Bytes>]>,
    /// The address of each call, by its number: parsed once, not per call.
    uris: Rc<[Uri]>,
}

/// Enough that no answer waits for us to allow it.
const WINDOW: u32 = 16 << 20;

impl Client {
    /// Opens `connections` of them to `address`, `host:port`.
    pub(crate) async fn connect(address: &str, connections: usize) -> Result<Self, ConnectError> {
        let failed = |source| ConnectError {
            address: address.to_owned(),
            source,
        };
        let mut opened = Vec::with_capacity(connections);
        for _ in 0..connections {
            opened.push(connect(address).await.map_err(failed)?);
        }
        let uris: Result<Vec<_>, _> = Rpc::ALL
            .iter()
            .map(|rpc| Uri::try_from(format!("http://{address}{}", rpc.path())))
            .collect();
        Ok(Self {
            connections: opened.into(),
            uris: uris.map_err(|error| failed(error.into()))?.into(),
        })
    }

    /// A handle for one call at a time, on a connection chosen by `n`.
    pub(crate) fn caller(&self, n: usize) -> Caller {
        Caller {
            send: self.connections[n % self.connections.len()].clone(),
            uris: Rc::clone(&self.uris),
        }
    }
}

async fn connect(
    address: &str,
) -> Result<SendRequest<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (send, connection) = h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buffer_size(1 << 20)
        .handshake(stream)
        .await?;
    // How it ends shows in the calls on it.
    tokio::task::spawn_local(async move { drop(connection.await) });
    // The server's own settings, the limit of streams above all, have to be here before the first call.
    Ok(send.ready().await?)
}

/// Makes one call after the other.
#[derive(Clone)]
pub(crate) struct Caller {
    send: SendRequest<Bytes>,
    uris: Rc<[Uri]>,
}

impl Caller {
    /// Sends a framed message and returns the message of the answer.
    pub(crate) async fn call(&mut self, rpc: Rpc, frame: Bytes) -> Result<Bytes, Failure> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.uris[rpc as usize].clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));

        // Waits where the connection has as many calls as the server allows.
        poll_fn(|context| self.send.poll_ready(context)).await?;
        let (response, mut body) = self.send.send_request(request, false)?;
        body.send_data(frame, true)?;

        let (head, mut body) = response.await?.into_parts();
        if head.status != StatusCode::OK {
            return Err(Failure::Malformed("an HTTP status other than 200"));
        }
        // An answer without a message carries its status here.
        if head.headers.contains_key(GRPC_STATUS) {
            require_ok(&head.headers)?;
            return Err(Failure::Malformed("OK without a message"));
        }
        let mut message = Bytes::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            message = joined(message, chunk);
        }
        let trailers = body.trailers().await?;
        require_ok(&trailers.ok_or(Failure::Malformed("no trailers"))?)?;
        unframe(message).ok_or(Failure::Malformed("not one whole message"))
    }
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Nearly every answer is one chunk, which is not copied.
fn joined(before: Bytes, chunk: Bytes) -> Bytes {
    if before.is_empty() {
        return chunk;
    }
    let mut whole = BytesMut::with_capacity(before.len() + chunk.len());
    whole.extend_from_slice(&before);
    whole.extend_from_slice(&chunk);
    whole.freeze()
}

fn require_ok(headers: &HeaderMap) -> Result<(), Failure> {
    let status = headers
        .get(GRPC_STATUS)
        .ok_or(Failure::Malformed("no grpc-status"))?;
    if status.as_bytes() == b"0" {
        return Ok(());
    }
    let message = headers.get(GRPC_MESSAGE).map(HeaderValue::as_bytes);
    Err(Failure::Status {
        name: status_name(status.as_bytes()),
        message: String::from_utf8_lossy(message.unwrap_or_default()).into_owned(),
    })
}
