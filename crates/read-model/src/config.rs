//! How to reach Redis.

use std::fmt;
use std::time::Duration;

use fred::socket2::TcpKeepalive;
use fred::types::config::{
    Config as ServerConfig, ConnectionConfig, PerformanceConfig, ReconnectPolicy, TcpConfig,
    UnresponsiveConfig,
};

use crate::error::SetupError;
use crate::keys::Layout;

const SCHEMES: [&str; 2] = ["redis://", "valkey://"];
const CLUSTER_SCHEMES: [&str; 2] = ["redis-cluster://", "valkey-cluster://"];

/// How to reach Redis. The URL can hold a password and is never shown.
#[derive(Clone)]
pub struct Config {
    url: String,
    /// How long one command may take, the wait for a lost connection included.
    pub command_timeout: Duration,
    /// How many connections carry commands.
    pub pool_size: usize,
    /// How many commands may wait for each connection; more are refused at
    /// once, as unreachable.
    pub queue_size: usize,
    /// Over how many partitions the read models are spread; 1 to 1,024. The
    /// same for all who use them.
    pub partitions: u16,
    /// The logical database, in place of the URL's.
    pub(crate) database: Option<u8>,
}

impl Config {
    /// Takes a URL, `redis://[[user]:password@]host[:port][/database]`, with
    /// 2 seconds per command, 2 connections, and 4,096 waiting commands each.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            command_timeout: Duration::from_secs(2),
            pool_size: 2,
            queue_size: 4_096,
            partitions: 1,
            database: None,
        }
    }

    /// How the keys are laid out.
    pub(crate) fn layout(&self) -> Layout {
        if self.partitions == 1 && !self.is_cluster() {
            Layout::PLAIN
        } else {
            Layout::tagged(self.partitions)
        }
    }

    /// Whether the URL is that of a Redis Cluster.
    pub(crate) fn is_cluster(&self) -> bool {
        CLUSTER_SCHEMES
            .iter()
            .any(|scheme| self.url.starts_with(scheme))
    }

    pub(crate) fn check(&self) -> Result<(), SetupError> {
        let zero = |setting| Err(SetupError::Zero { setting });
        if self.command_timeout.is_zero() {
            return zero("command_timeout");
        }
        if self.pool_size == 0 {
            return zero("pool_size");
        }
        if self.queue_size == 0 {
            return zero("queue_size");
        }
        if self.partitions == 0 {
            return zero("partitions");
        }
        Ok(())
    }

    pub(crate) fn server(&self) -> Result<ServerConfig, SetupError> {
        // The client takes other schemes without the feature behind them, and
        // would talk in clear text to a URL that asks for TLS.
        let server = if self.is_cluster() {
            ServerConfig::from_url_clustered(&self.url)
        } else if SCHEMES.iter().any(|scheme| self.url.starts_with(scheme)) {
            ServerConfig::from_url_centralized(&self.url)
        } else {
            return Err(SetupError::Url {
                reason: "it must begin with redis://, valkey://, redis-cluster:// or \
                         valkey-cluster://"
                    .to_owned(),
            });
        };
        let server = server.map_err(|error| SetupError::Url {
            // Behind a colon it repeats what it could not read, which can be a password.
            reason: error
                .details()
                .split(": ")
                .next()
                .unwrap_or_default()
                .to_owned(),
        })?;
        Ok(ServerConfig {
            // A server that is down at the start is waited for like one that
            // goes down later.
            fail_fast: false,
            database: self.database.or(server.database),
            ..server
        })
    }

    pub(crate) fn connection(&self) -> ConnectionConfig {
        ConnectionConfig {
            connection_timeout: self.command_timeout,
            internal_command_timeout: self.command_timeout,
            max_command_buffer_len: self.queue_size,
            auto_client_setname: true,
            unresponsive: UnresponsiveConfig {
                // A connection that answers nothing for so long is replaced;
                // without this a vanished server is noticed by TCP only.
                max_timeout: Some(self.command_timeout * 2),
                interval: self.command_timeout / 2,
            },
            tcp: TcpConfig {
                nodelay: Some(true),
                // Of a cluster's connections in use, this alone notices that one
                // was lost without a word; by itself the kernel takes a quarter
                // of an hour.
                #[cfg(target_os = "linux")]
                user_timeout: Some(self.command_timeout * 2),
                keepalive: Some(
                    TcpKeepalive::new()
                        .with_time(Duration::from_secs(20))
                        .with_interval(Duration::from_secs(5)),
                ),
                ..TcpConfig::default()
            },
            ..ConnectionConfig::default()
        }
    }

    pub(crate) fn performance(&self) -> PerformanceConfig {
        PerformanceConfig {
            default_command_timeout: self.command_timeout,
            ..PerformanceConfig::default()
        }
    }

    /// Tries for ever, from 20 ms to 1 s apart: a finite number of attempts
    /// would end the connection for good.
    pub(crate) fn reconnect() -> ReconnectPolicy {
        let mut policy = ReconnectPolicy::new_exponential(0, 20, 1_000, 2);
        policy.set_jitter(20);
        policy
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("command_timeout", &self.command_timeout)
            .field("pool_size", &self.pool_size)
            .field("queue_size", &self.queue_size)
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_would_be_misread_is_refused() {
        for url in [
            "",
            "localhost:6379",
            "rediss://localhost",
            "redis://localhost/books",
            "redis://localhost/256",
        ] {
            let refused = Config::new(url).server();
            assert!(matches!(refused, Err(SetupError::Url { .. })), "{url}");
        }
        let server = Config::new("redis://:secret@localhost:7/3").server();
        assert_eq!(server.unwrap().database, Some(3));
    }

    #[test]
    fn a_password_where_none_belongs_is_not_told() {
        let url = "redis-cluster://a.example:7000?node=user:secret@b.example:7001";
        let Err(SetupError::Url { reason }) = Config::new(url).server() else {
            panic!("a node has no user");
        };
        assert_eq!(reason, "Invalid host:port for cluster node");
    }

    #[test]
    fn the_url_is_not_shown() {
        let shown = format!("{:?}", Config::new("redis://:secret@localhost"));
        assert!(!shown.contains("secret") && !shown.contains("localhost"));
    }
}
