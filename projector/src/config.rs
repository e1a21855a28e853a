//! The settings, from the environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use service_kit::config::{Invalid, Reader, Secret, parse};
use service_kit::server;

/// Where the admin service listens.
pub const LISTEN: fn(&mut Reader<'_>) -> Result<SocketAddr, Invalid> = |reader| {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_053));
    reader.or("CIRCLES_PROJECTOR_LISTEN", parse::address, default)
};

const MYSQL_URL: &str = "CIRCLES_MYSQL_URL";
const REDIS_URL: &str = "CIRCLES_REDIS_URL";
const BATCH: &str = "CIRCLES_PROJECTOR_BATCH";
const IDLE_DELAY: &str = "CIRCLES_PROJECTOR_IDLE_DELAY";

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The log.
    pub mysql: Secret,
    /// The read models.
    pub redis: Secret,
    /// How many events are applied in one step.
    pub batch: u32,
    /// The longest time between two looks at a log in which nothing happens.
    pub idle_delay: Duration,
    /// The gRPC server.
    pub server: server::Options,
}

impl Config {
    /// The defaults, for these servers and on a port that the system picks.
    #[must_use]
    pub fn new(mysql_url: &str, redis_url: &str) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            mysql: Secret::new(mysql_url),
            redis: Secret::new(redis_url),
            batch: 500,
            idle_delay: Duration::from_millis(20),
            server: server::Options::default(),
        }
    }

    /// Reads all variables.
    ///
    /// # Errors
    ///
    /// The reader keeps every mistake.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let default = Self::new("", "");
        let listen = LISTEN(reader);
        let mysql = reader.secret(MYSQL_URL, Secret::parse);
        let redis = reader.secret(REDIS_URL, Secret::parse);
        let batch = reader.or(BATCH, parse::integer(1..=1_000), default.batch);
        let bounds = Duration::from_millis(1)..=Duration::from_secs(60);
        let idle_delay = reader.or(
            IDLE_DELAY,
            parse::duration_within(bounds),
            default.idle_delay,
        );
        let server = server::Options::read(reader);
        Ok(Self {
            listen: listen?,
            mysql: mysql?,
            redis: redis?,
            batch: batch?,
            idle_delay: idle_delay?,
            server: server?,
        })
    }
}
