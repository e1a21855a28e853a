//! The gRPC server around a service's routes: health, reflection, limits and a drain that ends.

use std::{
    iter,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, task::JoinSet, time};
use tonic::{
    service::Routes,
    transport::{self, server::TcpIncoming},
};

use crate::{
    config::{Invalid, Reader, parse},
    health::Readiness,
    listeners::Listeners,
    metrics::{self, Calls, MeasuredCalls, Metrics},
};

/// How long running calls may go on once the process is told to stop.
pub const DRAIN_TIMEOUT: &str = "CIRCLES_DRAIN_TIMEOUT";

/// How many calls of a service there may be at a time, in the whole process.
pub const MAX_CALLS: &str = "CIRCLES_MAX_CALLS";

/// Calls at the same time on one connection.
const MAX_CONCURRENT_STREAMS: u32 = 1_024;
/// What one stream may send ahead.
const STREAM_WINDOW: u32 = 256 << 10;

/// What a connection may send ahead: more than one stream, so that one which is not read leaves room for the others.
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Streams of one connection that may end by an error of its client before the connection is closed. hyper's own
/// default, which tonic turns into "no limit" unless it is set.
const MAX_LOCAL_ERROR_RESET_STREAMS: usize = 1_024;
/// A connection is asked for a sign of life after so much silence, and closed when none comes in time. A client that vanished
/// without a word would otherwise stay for ever.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of a [`Server`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long running calls may go on once the process is told to stop.
    pub drain_timeout: Duration,
    /// How many calls there may be at a time; for [`Calls`](crate::calls::Calls).
    pub max_calls: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            drain_timeout: Duration::from_secs(10),
            max_calls: 8_192,
        }
    }
}

impl Options {
    /// Reads [`DRAIN_TIMEOUT`] and [`MAX_CALLS`].
    ///
    /// # Errors
    /// When the reader refused a variable.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let bounds = Duration::ZERO..=Duration::from_secs(3_600);
        let drain_timeout = reader.or(
            DRAIN_TIMEOUT,
            parse::duration_within(bounds),
            Self::default().drain_timeout,
        );
        let max_calls = reader.or(
            MAX_CALLS,
            parse::integer(1..=1_000_000),
            Self::default().max_calls,
        );
        Ok(Self {
            drain_timeout: drain_timeout?,
            max_calls: max_calls?,
        })
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
    /// The transport gave up before it was told to stop.
    #[error("the gRPC transport failed")]
    Transport(#[from] transport::Error),
}

/// The health service's name.
const HEALTH: &str = "grpc.health.v1.Health";
/// The names of the reflection services.
const REFLECTION: [&str; 2] = [
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// A gRPC server that is ready to run.
#[derive(Debug)]
pub struct Server {
    routes: Routes,
    readiness: Readiness,
    options: Options,
    /// The full names of all methods that it has.
    methods: Vec<String>,
    metrics: Metrics,
}

impl Server {
    /// Adds health and reflection (`v1` and `v1alpha`) to the service's own `routes`, which must hold neither.
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
        let routes = routes
            .add_service(readiness.service())
            .add_service(reflection().build_v1().map_err(ServerError::Descriptors)?)
            .add_service(
                reflection()
                    .build_v1alpha()
                    .map_err(ServerError::Descriptors)?,
            );
        let names = readiness.services().iter().map(String::as_str);
        let names: Vec<_> = iter::chain(names, [HEALTH]).chain(REFLECTION).collect();
        let descriptor_sets = [
            descriptor_set,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        Ok(Self {
            routes,
            methods: metrics::methods(descriptor_sets, &names),
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
        let calls = Calls::new(&self.metrics, &self.methods);
        // Served to the end of the drain, which is one of the things to be seen.
        let mut background = JoinSet::new();
        if let Some(listener) = listeners.metrics {
            background.spawn(metrics::serve(listener, self.metrics));
        }
        // tonic's own socket settings do not reach a listener that was made elsewhere.
        let incoming = TcpIncoming::from(listeners.grpc)
            .with_nodelay(Some(true))
            .with_keepalive(Some(KEEPALIVE_INTERVAL));
        let (go_away, told_to_go_away) = oneshot::channel::<()>();
        let mut serving = pin!(
            transport::Server::builder()
                .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .http2_max_local_error_reset_streams(Some(MAX_LOCAL_ERROR_RESET_STREAMS))
                .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
                .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
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
