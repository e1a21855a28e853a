//! The settings, from the environment.

use std::net::{Ipv4Addr, SocketAddr};

use event_store::WriterOptions;
use service_kit::config::{Invalid, Reader, Secret, parse};
use service_kit::server;

/// Where the service listens.
pub const LISTEN: fn(&mut Reader<'_>) -> Result<SocketAddr, Invalid> = |reader| {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_051));
    reader.or("CIRCLES_COMMAND_LISTEN", parse::address, default)
};

const MYSQL_URL: &str = "CIRCLES_MYSQL_URL";
const MYSQL_CONNECTIONS: &str = "CIRCLES_MYSQL_CONNECTIONS";
const ALLOW_UNSAFE_MYSQL: &str = "CIRCLES_ALLOW_UNSAFE_MYSQL";
const MIGRATE_AT_START: &str = "CIRCLES_MIGRATE_AT_START";
const QUEUE_SIZE: &str = "CIRCLES_QUEUE_SIZE";
const BATCH_SIZE: &str = "CIRCLES_BATCH_SIZE";
const SNAPSHOT_INTERVAL: &str = "CIRCLES_SNAPSHOT_INTERVAL";
const CACHE_BYTES: &str = "CIRCLES_CACHE_BYTES";

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The database.
    pub mysql: Secret,
    /// How many connections to it.
    pub mysql_connections: u32,
    /// Serve although the database may lose acknowledged commands in a crash.
    pub allow_unsafe_mysql: bool,
    /// Create and update the tables before serving.
    pub migrate_at_start: bool,
    /// Group commit and snapshots.
    pub writer: WriterOptions,
    /// The gRPC server.
    pub server: server::Options,
}

impl Config {
    /// The defaults, for this database and on a port that the system picks.
    #[must_use]
    pub fn new(mysql_url: &str) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            mysql: Secret::new(mysql_url),
            mysql_connections: 8,
            allow_unsafe_mysql: false,
            migrate_at_start: false,
            writer: WriterOptions::default(),
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
        let mysql = Self::read_mysql_url(reader);
        let mysql_connections = reader.or(
            MYSQL_CONNECTIONS,
            parse::integer(2..=1_000),
            default.mysql_connections,
        );
        let allow_unsafe_mysql = reader.or(ALLOW_UNSAFE_MYSQL, parse::boolean, false);
        let migrate_at_start = reader.or(MIGRATE_AT_START, parse::boolean, false);
        let queue = reader.or(
            QUEUE_SIZE,
            parse::integer(1..=1_000_000),
            default.writer.queue,
        );
        // Above this the parameter of one statement nears max_allowed_packet.
        let batch = reader.or(BATCH_SIZE, parse::integer(1..=4_096), default.writer.batch);
        let snapshot_interval = reader.or(
            SNAPSHOT_INTERVAL,
            parse::integer(1..=1_000_000),
            default.writer.snapshot_interval,
        );
        let cache_bytes = reader.or(
            CACHE_BYTES,
            parse::integer(0..=1 << 40),
            default.writer.cache_bytes,
        );
        let server = server::Options::read(reader);
        Ok(Self {
            listen: listen?,
            mysql: mysql?,
            mysql_connections: mysql_connections?,
            allow_unsafe_mysql: allow_unsafe_mysql?,
            migrate_at_start: migrate_at_start?,
            writer: WriterOptions {
                queue: queue?,
                batch: batch?,
                snapshot_interval: snapshot_interval?,
                cache_bytes: cache_bytes?,
                ..default.writer
            },
            server: server?,
        })
    }

    /// Reads the database's URL alone, for `migrate`.
    ///
    /// # Errors
    ///
    /// The reader keeps the mistake.
    pub fn read_mysql_url(reader: &mut Reader<'_>) -> Result<Secret, Invalid> {
        reader.secret(MYSQL_URL, Secret::parse)
    }
}
