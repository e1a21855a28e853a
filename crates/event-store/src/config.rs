//! How to reach the database.

use std::fmt;
use std::time::Duration;

/// How to reach the database, and how patiently.
#[derive(Clone)]
pub struct Config {
    /// `mysql://user:password@host:port/database`, with the options of
    /// [`sqlx::mysql::MySqlConnectOptions`]. A secret, as it holds the password.
    pub url: String,
    /// How many connections are shared. Each [`Writer`](crate::Writer) holds one more.
    pub max_connections: u32,
    /// How long a call waits for a connection before the database counts as unreachable.
    pub acquire_timeout: Duration,
}

impl Config {
    /// The defaults, for this URL: 8 connections, 3 seconds.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 8,
            acquire_timeout: Duration::from_secs(3),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("url", &"<secret>")
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .finish()
    }
}
