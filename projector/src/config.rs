//! The settings, from the environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use service_kit::config::{Invalid, Reader, Secret, parse};
use service_kit::server;

/// How long a projector that is silent counts as working, unless that is set.
const LEASE_TIME: Duration = Duration::from_secs(5);

/// Where the admin service listens.
pub const LISTEN: fn(&mut Reader<'_>) -> Result<SocketAddr, Invalid> = |reader| {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_053));
    reader.or("CIRCLES_PROJECTOR_LISTEN", parse::address, default)
};

const MYSQL_URL: &str = "CIRCLES_MYSQL_URL";
const REDIS_URL: &str = "CIRCLES_REDIS_URL";
const BATCH: &str = "CIRCLES_PROJECTOR_BATCH";
const IDLE_DELAY: &str = "CIRCLES_PROJECTOR_IDLE_DELAY";
const LEASE: &str = "CIRCLES_PROJECTOR_LEASE";
const AUDIT_RATE: &str = "CIRCLES_PROJECTOR_AUDIT_RATE";
const CHANGES_KEPT: &str = "CIRCLES_CHANGES_KEPT";
const PARTITIONS: &str = "CIRCLES_REDIS_PARTITIONS";
const SPARE_DATABASE: &str = "CIRCLES_REDIS_SPARE_DATABASE";

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The log.
    pub mysql: Secret,
    /// The read models.
    pub redis: Secret,
    /// How many events are read at once at the end of the log. Further back more are, and up to
    /// 100 are applied in one step.
    pub batch: u32,
    /// The longest time between two looks at a log in which nothing happens.
    pub idle_delay: Duration,
    /// How long a projector that is silent counts as working.
    pub lease: Duration,
    /// How many circles a second the audit in the background compares; 0 for none.
    pub audit_rate: u32,
    /// How many changes are kept for watches.
    pub changes_kept: u32,
    /// Over how many partitions the read models are spread.
    pub partitions: u16,
    /// The logical database of Redis in which read models are rebuilt.
    pub spare_database: u8,
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
            lease: LEASE_TIME,
            audit_rate: 100,
            changes_kept: read_model::CHANGES_KEPT,
            partitions: 1,
            spare_database: 15,
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
        let lease = Duration::from_millis(100)..=Duration::from_secs(600);
        let lease = reader.or(LEASE, parse::duration_within(lease), default.lease);
        let audit_rate = reader.or(AUDIT_RATE, parse::integer(0..=100_000), default.audit_rate);
        let kept = parse::integer(1..=10_000_000);
        let changes_kept = reader.or(CHANGES_KEPT, kept, default.changes_kept);
        let partitions = reader.or(PARTITIONS, parse::integer(1..=1_024), default.partitions);
        let spare = parse::integer(0..=255);
        let spare_database = reader.or(SPARE_DATABASE, spare, default.spare_database);
        let server = server::Options::read(reader);
        Ok(Self {
            listen: listen?,
            mysql: mysql?,
            redis: redis?,
            batch: batch?,
            idle_delay: idle_delay?,
            lease: lease?,
            audit_rate: audit_rate?,
            changes_kept: changes_kept?,
            partitions: partitions?,
            spare_database: spare_database?,
            server: server?,
        })
    }
}
