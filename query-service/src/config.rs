//! The settings, from the environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use read_model::FeedOptions;
use service_kit::config::{Invalid, Reader, Secret, parse};
use service_kit::server;

/// Where the service listens.
pub const LISTEN: fn(&mut Reader<'_>) -> Result<SocketAddr, Invalid> = |reader| {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_052));
    reader.or("CIRCLES_QUERY_LISTEN", parse::address, default)
};

const REDIS_URL: &str = "CIRCLES_REDIS_URL";
const REDIS_CONNECTIONS: &str = "CIRCLES_REDIS_CONNECTIONS";
const REDIS_PARTITIONS: &str = "CIRCLES_REDIS_PARTITIONS";
const MAX_WAIT: &str = "CIRCLES_QUERY_MAX_WAIT";
const MAX_LAG: &str = "CIRCLES_QUERY_MAX_LAG";

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The read models.
    pub redis: Secret,
    /// How many connections to them.
    pub redis_connections: usize,
    /// Over how many partitions the read models are spread; as the projector has it.
    pub redis_partitions: u16,
    /// The longest time that a query waits for its minimal sequence, whatever its deadline.
    pub max_wait: Duration,
    /// How old the read model may be for the service to be ready; any age, where that is not set.
    pub max_lag: Option<Duration>,
    /// How watches are fed; not set from outside.
    pub watch: FeedOptions,
    /// The gRPC server.
    pub server: server::Options,
}

impl Config {
    /// The defaults, for this Redis and on a port that the system picks.
    #[must_use]
    pub fn new(redis_url: &str) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            redis: Secret::new(redis_url),
            redis_connections: 2,
            redis_partitions: 1,
            max_wait: Duration::from_secs(5),
            max_lag: None,
            watch: FeedOptions::default(),
            server: server::Options::default(),
        }
    }

    /// Reads all variables.
    ///
    /// # Errors
    ///
    /// The reader keeps every mistake.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let default = Self::new("");
        let listen = LISTEN(reader);
        let redis = reader.secret(REDIS_URL, Secret::parse);
        let redis_connections = reader.or(
            REDIS_CONNECTIONS,
            parse::integer(1..=64),
            default.redis_connections,
        );
        let redis_partitions = reader.or(
            REDIS_PARTITIONS,
            parse::integer(1..=1_024),
            default.redis_partitions,
        );
        let bounds = Duration::from_millis(1)..=Duration::from_secs(300);
        let max_wait = reader.or(MAX_WAIT, parse::duration_within(bounds), default.max_wait);
        let bounds = Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);
        let max_lag = reader.optional(MAX_LAG, parse::duration_within(bounds));
        let server = server::Options::read(reader);
        Ok(Self {
            listen: listen?,
            redis: redis?,
            redis_connections: redis_connections?,
            redis_partitions: redis_partitions?,
            max_wait: max_wait?,
            max_lag: max_lag?,
            watch: default.watch,
            server: server?,
        })
    }
}
