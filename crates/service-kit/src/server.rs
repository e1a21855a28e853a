//! The gRPC server around a service's routes: health, reflection, limits and a drain that ends.

use std::{
    hash::{BuildHasher as _, RandomState},
    iter,
    num::NonZeroU32,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{net::TcpListener, sync::oneshot, task::JoinSet, time};
use tonic::{service::Routes, transport};

use crate::{
    auth::{self, OpenError},
    config::{Invalid, Reader, parse},
    health::Readiness,
    incoming::{Connections, Counts, KEEPALIVE_INTERVAL, Limits},
    listeners::Listeners,
    methods::{Method, methods},
    metrics::{self, CallMetrics, MeasuredCalls, Metrics},
    tls::{self, Tls, TlsError},
};

/// How long running calls may go on once the process is told to stop.
pub const DRAIN_TIMEOUT: &str = "CIRCLES_DRAIN_TIMEOUT";

/// How many calls of a service there may be at a time, in the whole process. Streams count by themselves.
pub const MAX_CALLS: &str = "CIRCLES_MAX_CALLS";

/// How many streams of a service there may be at a time, in the whole process.
pub const MAX_STREAMS: &str = "CIRCLES_MAX_STREAMS";

/// How many calls a client may make in a second. Any number unless set.
pub const RATE_PER_CLIENT: &str = "CIRCLES_RATE_PER_CLIENT";

/// How many connections there may be at a time.
pub const MAX_CONNECTIONS: &str = "CIRCLES_MAX_CONNECTIONS";

/// How long a connection may take to begin.
pub const HANDSHAKE_TIMEOUT: &str = "CIRCLES_HANDSHAKE_TIMEOUT";

/// After which time clients are sent to look for other processes.
pub const MAX_CONNECTION_AGE: &str = "CIRCLES_MAX_CONNECTION_AGE";

/// Whether the service tells what it offers.
pub const REFLECTION: &str = "CIRCLES_REFLECTION";

/// The longest message that a service takes, in bytes; for `max_decoding_message_size` of the generated servers, which
/// allow 4 MiB unless told otherwise. The longest legitimate one names a thousand circles.
pub const MAX_MESSAGE_SIZE: usize = 256 << 10;

/// The longest head of a request, in bytes as HTTP/2 counts them.
const MAX_HEADER_LIST_SIZE: u32 = 16 << 10;

/// Calls at the same time on one connection.
const MAX_CONCURRENT_STREAMS: u32 = 1_024;
/// What one stream may send ahead.
const STREAM_WINDOW: u32 = 256 << 10;

/// What a connection may send ahead: more than one stream, so that one which is not read leaves room for the others.
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Streams of one connection that may end by an error of its client before the connection is closed. hyper's own
/// default, which tonic turns into "no limit" unless it is set.
const MAX_LOCAL_ERROR_RESET_STREAMS: usize = 1_024;
/// How long a connection's sign of life may take.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the listener for the health alone allows.
const HEALTH_LIMITS: Limits = Limits {
    connections: 64,
    handshake: Duration::from_secs(2),
};

/// After which time connections to it are cut off. A probe is done in a moment; whoever stays for longer would in the
/// end keep all others out, and a process that nobody finds alive is ended.
const HEALTH_CONNECTION_AGE: Duration = Duration::from_secs(60);

/// Settings of a [`Server`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long running calls may go on once the process is told to stop.
    pub drain_timeout: Duration,
    /// How many calls there may be at a time; for [`Calls`](crate::calls::Calls).
    pub max_calls: usize,
    /// How many streams there may be at a time, besides; for [`Calls`](crate::calls::Calls).
    pub max_streams: usize,
    /// How many calls a client may make in a second; for [`Calls`](crate::calls::Calls). A client is whom its token was
    /// made out to, or else its address.
    pub rate_per_client: Option<NonZeroU32>,
    /// How many connections there may be at a time. More are closed at once.
    pub max_connections: usize,
    /// How long a connection may take to begin, TLS included.
    pub handshake_timeout: Duration,
    /// After which time a client is asked to connect anew (GOAWAY), so that it finds processes that came later. Its
    /// calls come to their end before.
    pub max_connection_age: Duration,
    /// Whether reflection is offered.
    pub reflection: bool,
    /// Where the certificates for TLS are. Without them the service speaks plain HTTP/2.
    pub tls: Option<tls::Options>,
    /// How callers' tokens are verified; for [`Calls`](crate::calls::Calls). Without it nobody is asked for one.
    pub auth: Option<auth::Options>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            drain_timeout: Duration::from_secs(10),
            max_calls: 8_192,
            max_streams: 4_096,
            rate_per_client: None,
            max_connections: 16_384,
            handshake_timeout: Duration::from_secs(5),
            max_connection_age: Duration::from_secs(30 * 60),
            reflection: true,
            tls: None,
            auth: None,
        }
    }
}

impl Options {
    /// Reads the variables of this module, and those of [`tls`] and [`auth`].
    ///
    /// # Errors
    /// When the reader refused a variable.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let default = Self::default();
        let second = Duration::from_secs(1);
        let drain_timeout = reader.or(
            DRAIN_TIMEOUT,
            parse::duration_within(Duration::ZERO..=3_600 * second),
            default.drain_timeout,
        );
        let max_calls = reader.or(MAX_CALLS, parse::integer(1..=1_000_000), default.max_calls);
        let max_streams = reader.or(
            MAX_STREAMS,
            parse::integer(1..=1_000_000),
            default.max_streams,
        );
        let rate_per_client = reader.optional(RATE_PER_CLIENT, parse::integer(1..=10_000_000));
        let max_connections = reader.or(
            MAX_CONNECTIONS,
            parse::integer(1..=1_000_000),
            default.max_connections,
        );
        let handshake_timeout = reader.or(
            HANDSHAKE_TIMEOUT,
            parse::duration_within(second / 10..=60 * second),
            default.handshake_timeout,
        );
        let max_connection_age = reader.or(
            MAX_CONNECTION_AGE,
            parse::duration_within(second..=7 * 24 * 3_600 * second),
            default.max_connection_age,
        );
        let reflection = reader.or(REFLECTION, parse::boolean, default.reflection);
        let tls = tls::Options::read(reader);
        let auth = auth::Options::read(reader);
        Ok(Self {
            drain_timeout: drain_timeout?,
            max_calls: max_calls?,
            max_streams: max_streams?,
            rate_per_client: rate_per_client?.and_then(NonZeroU32::new),
            max_connections: max_connections?,
            handshake_timeout: handshake_timeout?,
            max_connection_age: max_connection_age?,
            reflection: reflection?,
            tls: tls?,
            auth: auth?,
        })
    }

    fn limits(&self) -> Limits {
        Limits {
            connections: self.max_connections,
            handshake: self.handshake_timeout,
        }
    }
}

/// How a drain went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// Every call came to its end and every connection was closed.
    Complete,
    /// The time was over before; calls were cut off.
    TimedOut,
}

/// Why there is no server, or no longer one.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The descriptor set is not one.
    #[error("the descriptor set for reflection is malformed")]
    Descriptors(#[source] tonic_reflection::server::Error),
    /// The certificates can't be used.
    #[error("TLS can't be set up")]
    Tls(#[from] TlsError),
    /// The keys of tokens can't be used.
    #[error("tokens can't be verified")]
    Auth(#[from] OpenError),
    /// The transport gave up before it was told to stop.
    #[error("the gRPC transport failed")]
    Transport(#[from] transport::Error),
}

/// The health service's name.
const HEALTH: &str = "grpc.health.v1.Health";
/// The names of the reflection services.
const REFLECTION_SERVICES: [&str; 2] = [
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// A gRPC server that is ready to run.
#[derive(Debug)]
pub struct Server {
    routes: Routes,
    readiness: Readiness,
    options: Options,
    /// All methods that it has.
    methods: Vec<Method>,
    metrics: Metrics,
}

impl Server {
    /// Adds health, and reflection (`v1` and `v1alpha`) unless that is turned off, to the service's own `routes`, which must hold neither.
    ///
    /// `descriptor_set` is the encoded `FileDescriptorSet` of the routes; reflection lists the services that
    /// `readiness` names.
    ///
    /// # Errors
    /// When `descriptor_set` is malformed.
    pub fn new(
        routes: Routes,
        descriptor_set: &'static [u8],
        readiness: Readiness,
        options: Options,
    ) -> Result<Self, ServerError> {
        let reflection = || {
            let names = readiness.services().iter().map(String::as_str);
            // A descriptor set may describe services that run elsewhere.
            let builder = iter::chain(names, [HEALTH]).fold(
                tonic_reflection::server::Builder::configure(),
                |builder, name| builder.with_service_name(name),
            );
            builder
                .register_encoded_file_descriptor_set(descriptor_set)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                // So that grpcurl shows the details of an error.
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        };
        let mut routes = routes.add_service(readiness.service());
        let names = readiness.services().iter().map(String::as_str);
        let mut names: Vec<_> = iter::chain(names, [HEALTH]).collect();
        if options.reflection {
            routes = routes
                .add_service(reflection().build_v1().map_err(ServerError::Descriptors)?)
                .add_service(
                    reflection()
                        .build_v1alpha()
                        .map_err(ServerError::Descriptors)?,
                );
            names.extend(REFLECTION_SERVICES);
        }
        let descriptor_sets = [
            descriptor_set,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        Ok(Self {
            routes,
            methods: methods(descriptor_sets, &names),
            readiness,
            options,
            metrics: Metrics::new(),
        })
    }

    /// Adds what it measures of its calls to these metrics, and serves them where it has a socket for it.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Serves until `shutdown` resolves, then drains: the health turns to NOT_SERVING, no new connection is
    /// accepted, clients are sent away (GOAWAY), and running calls have the drain timeout to end.
    ///
    /// Calls that are cut off live on until the runtime ends or their connection closes.
    ///
    /// # Errors
    /// When the transport fails.
    pub async fn run(
        self,
        listeners: impl Into<Listeners>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Drain, ServerError> {
        let listeners = listeners.into();
        let calls = CallMetrics::new(&self.metrics, &self.methods);
        // Served to the end of the drain, which is one of the things to be seen.
        let mut background = JoinSet::new();
        if let Some(listener) = listeners.metrics {
            background.spawn(metrics::serve(listener, self.metrics.clone()));
        }
        if let Some(listener) = listeners.health {
            background.spawn(serve_health(
                listener,
                self.readiness.clone(),
                HEALTH_CONNECTION_AGE,
            ));
        }
        let tls = self.options.tls.as_ref().map(Tls::open).transpose()?;
        let counts = Counts::new(&self.metrics);
        let incoming = Connections::accept(listeners.grpc, self.options.limits(), tls, counts);
        let (go_away, told_to_go_away) = oneshot::channel::<()>();
        let mut serving = pin!(
            transport()
                // Without a grace: with one tonic cuts calls off instead of sending GOAWAY.
                .max_connection_age(spread(self.options.max_connection_age))
                .layer(MeasuredCalls(Arc::new(calls)))
                .add_routes(self.routes)
                .serve_with_incoming_shutdown(incoming, async {
                    // Dropping the sender is the message.
                    let _ = told_to_go_away.await;
                })
        );

        tokio::select! {
            ended = &mut serving => {
                self.readiness.drain();
                return ended.map(|()| Drain::Complete).map_err(ServerError::from);
            }
            () = shutdown => {}
        }

        let started = Instant::now();
        let limit = self.options.drain_timeout;
        tracing::info!(limit_seconds = limit.as_secs_f64(), "draining");
        self.readiness.drain();
        drop(go_away);
        // tonic would wait for the last call without a limit.
        match time::timeout(limit, serving).await {
            Ok(ended) => {
                ended?;
                tracing::info!(seconds = started.elapsed().as_secs_f64(), "drained");
                Ok(Drain::Complete)
            }
            Err(_) => {
                tracing::warn!(
                    limit_seconds = limit.as_secs_f64(),
                    "not drained in time; the calls that still run are cut off"
                );
                Ok(Drain::TimedOut)
            }
        }
    }

    /// [`run`](Self::run), while `open` gets ready what the service needs: calls are answered from
    /// the start, and the health turns to SERVING when `open` is done. Returns what it made, or
    /// nothing where the shutdown came first.
    ///
    /// # Errors
    ///
    /// The error of `open`, which ends the serving, or [`ServerError`].
    pub async fn run_while_opening<T, E: From<ServerError>>(
        self,
        listeners: impl Into<Listeners>,
        shutdown: impl Future<Output = ()>,
        open: impl Future<Output = Result<T, E>>,
    ) -> Result<Option<T>, E> {
        let readiness = self.readiness.clone();
        let mut opened = None;
        let until = async {
            let mut shutdown = pin!(shutdown);
            tokio::select! {
                () = &mut shutdown => return,
                result = open => {
                    let failed = result.is_err();
                    opened = Some(result);
                    if failed {
                        return;
                    }
                }
            }
            readiness.set(true);
            shutdown.await;
        };
        self.run(listeners, until).await?;
        opened.transpose()
    }
}

/// A transport with our limits.
fn transport() -> transport::Server {
    transport::Server::builder()
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(MAX_HEADER_LIST_SIZE)
        .http2_max_local_error_reset_streams(Some(MAX_LOCAL_ERROR_RESET_STREAMS))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
}

/// Tells the health to probes until it is dropped, on connections that may become so old.
async fn serve_health(listener: TcpListener, readiness: Readiness, age: Duration) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "health is served");
    }
    // What these do is not worth a look; they have metrics of their own, which nobody reads.
    let counts = Counts::new(&Metrics::new());
    let incoming = Connections::accept(listener, HEALTH_LIMITS, None, counts);
    let served = transport()
        .max_connection_age(age)
        // With a grace tonic cuts off, where it would else wait for the client to go.
        .max_connection_age_grace(Duration::ZERO)
        .add_service(readiness.service())
        .serve_with_incoming(incoming);
    if let Err(error) = served.await {
        tracing::error!(%error, "health is no longer served");
    }
}

/// Up to a tenth more or less, other in each process, so that those that were started together do not all send
/// their clients away in the same moment.
fn spread(age: Duration) -> Duration {
    let tenths = f64::from(RandomState::new().hash_one(0) as u32) / f64::from(u32::MAX);
    age.mul_f64(0.9 + 0.2 * tenths)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };
    use tokio_util::task::AbortOnDropHandle;

    use super::*;

    #[tokio::test]
    async fn who_stays_at_the_health_is_cut_off() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let age = Duration::from_millis(300);
        let health = serve_health(listener, Readiness::new([""]), age);
        let _health = AbortOnDropHandle::new(tokio::spawn(health));
        let mut idle = TcpStream::connect(address).await.unwrap();
        // All of a connection's beginning, with settings of which there are none.
        let beginning = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        idle.write_all(beginning).await.unwrap();
        // Sooner than one that gives no sign of life.
        let mut answer = Vec::new();
        let closed = time::timeout(KEEPALIVE_INTERVAL, idle.read_to_end(&mut answer));
        assert!(closed.await.is_ok());
        assert!(!answer.is_empty(), "it had begun");
    }
}
