//! The connections of a listener: how many there may be, and how long they may take to begin.
//!
//! tonic accepts without a limit, and waits for ever for a TLS handshake or for HTTP/2's first bytes. Here a connection
//! is handed to it only after both.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time,
};
use tokio_rustls::server::TlsStream;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::{either::Either, task::AbortOnDropHandle};
use tonic::transport::server::{Connected, TcpIncoming};

use crate::{
    metrics::{Counter, Level, Metrics},
    rates::Client,
    tls::Tls,
};

/// What every HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection is asked for a sign of life after so much silence. A client that vanished without a word would
/// otherwise stay for ever.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// How long nobody is accepted after the system refused a connection, as when it has no files left.
const PAUSE: Duration = Duration::from_millis(100);

/// How often it is logged that connections are turned away.
const REMINDER: Duration = Duration::from_secs(10);

/// Connections that are ready and not yet taken.
const READY: usize = 64;

/// What connections are allowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many there may be at a time, those that have not begun included.
    pub(crate) connections: usize,
    /// How long TLS and the first bytes of HTTP/2 may take together.
    pub(crate) handshake: Duration,
}

/// What is counted of them.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    open: Level,
    refused: Counter,
    failed: Counter,
}

impl Counts {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            open: metrics.level(
                "circles_connections",
                "Connections of clients, those that have not begun included.",
            ),
            refused: metrics.counter(
                "circles_connections_refused_total",
                "Connections closed at once, as there were too many.",
            ),
            failed: metrics.counter(
                "circles_handshakes_failed_total",
                "Connections closed before their first call: TLS failed, no HTTP/2, or too slow.",
            ),
        }
    }
}

/// The connections of a listener. Dropping it closes the listener, and those that have not begun.
#[derive(Debug)]
pub(crate) struct Connections {
    ready: mpsc::Receiver<Connection>,
    _accepting: AbortOnDropHandle<()>,
}

impl Connections {
    /// Accepts connections, with TLS where that is given.
    pub(crate) fn accept(
        listener: TcpListener,
        limits: Limits,
        tls: Option<Tls>,
        counts: Counts,
    ) -> Self {
        // tonic's own socket settings do not reach a listener that was made elsewhere.
        let incoming = TcpIncoming::from(listener)
            .with_nodelay(Some(true))
            .with_keepalive(Some(KEEPALIVE_INTERVAL));
        let (send, ready) = mpsc::channel(READY);
        let accepting = tokio::spawn(accept(incoming, limits, tls, counts, send));
        Self {
            ready,
            _accepting: AbortOnDropHandle::new(accepting),
        }
    }
}

impl Stream for Connections {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(cx).map(|it| it.map(Ok))
    }
}

async fn accept(
    mut incoming: TcpIncoming,
    limits: Limits,
    tls: Option<Tls>,
    counts: Counts,
    ready: mpsc::Sender<Connection>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut handshakes = JoinSet::new();
    let mut reminded: Option<Instant> = None;
    while let Some(accepted) = incoming.next().await {
        while handshakes.try_join_next().is_some() {}
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            counts.refused.add(1);
            if reminded.is_none_or(|it| it.elapsed() > REMINDER) {
                reminded = Some(Instant::now());
                let limit = limits.connections;
                tracing::warn!(limit, "too many connections; new ones are closed at once");
            }
            continue;
        };
        let open = Open::new(place, counts.open.clone());
        let acceptor = tls.as_ref().map(Tls::acceptor);
        let (failed, ready) = (counts.failed.clone(), ready.clone());
        handshakes.spawn(async move {
            let begun = time::timeout(limits.handshake, async {
                let peer = stream.peer_addr()?;
                let mut stream = match acceptor {
                    None => Either::Left(stream),
                    Some(acceptor) => Either::Right(acceptor.accept(stream).await?),
                };
                expect_preface(&mut stream).await?;
                Ok::<_, io::Error>((peer, stream))
            });
            match begun.await {
                Ok(Ok((peer, stream))) => {
                    let connection = Connection {
                        stream,
                        replayed: 0,
                        peer,
                        _open: open,
                    };
                    // Nobody takes it once the service drains.
                    let _ = ready.send(connection).await;
                }
                Ok(Err(error)) => {
                    failed.add(1);
                    tracing::debug!(%error, "a connection did not begin");
                }
                Err(_) => {
                    failed.add(1);
                    tracing::debug!("a connection did not begin in time");
                }
            }
        });
    }
}

/// Reads the first bytes of HTTP/2, and fails at the first one that is another.
async fn expect_preface(stream: &mut Transport) -> io::Result<()> {
    let mut seen = 0;
    let mut buffer = [0; PREFACE.len()];
    while seen < PREFACE.len() {
        let read = stream.read(&mut buffer[seen..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        seen += read;
        if buffer[..seen] != PREFACE[..seen] {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not HTTP/2"));
        }
    }
    Ok(())
}

/// Who calls: a connection's other end. An extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Peer {
    /// Whose calls these are, where nothing more is known.
    pub(crate) fn client(&self) -> Client {
        Client::at(self.0.ip())
    }
}

/// A connection that has begun. What was read of it is read again.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Transport,
    /// How much of the preface was handed on.
    replayed: usize,
    peer: SocketAddr,
    _open: Open,
}

/// A place that is taken, and counted.
#[derive(Debug)]
struct Open {
    level: Level,
    _place: OwnedSemaphorePermit,
}

impl Open {
    fn new(place: OwnedSemaphorePermit, level: Level) -> Self {
        level.rise();
        Self {
            level,
            _place: place,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.level.fall();
    }
}

/// With TLS or without.
type Transport = Either<TcpStream, TlsStream<TcpStream>>;

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        Peer(self.peer)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = &PREFACE[self.replayed..];
        if left.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let taken = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..taken]);
        self.replayed += taken;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
