//! Where a service is reached.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::{
    config::{Invalid, Reader, parse},
    health, metrics,
};

/// Where a service listens besides the address of its gRPC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Besides {
    /// For the health alone.
    pub health: Option<SocketAddr>,
    /// For the metrics.
    pub metrics: Option<SocketAddr>,
}

impl Besides {
    /// Reads [`health::LISTEN`] and [`metrics::LISTEN`].
    ///
    /// # Errors
    /// When the reader refused a variable.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let health = reader.optional(health::LISTEN, parse::address);
        let metrics = reader.optional(metrics::LISTEN, parse::address);
        Ok(Self {
            health: health?,
            metrics: metrics?,
        })
    }
}

/// The sockets of a service. Made from the one for gRPC, it has no others.
#[derive(Debug)]
pub struct Listeners {
    /// For gRPC.
    pub grpc: TcpListener,
    /// For the health alone, where it is asked for: without TLS, and whatever becomes of the other one's limits.
    pub health: Option<TcpListener>,
    /// For the metrics, where they are asked for.
    pub metrics: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(grpc: TcpListener) -> Self {
        Self {
            grpc,
            health: None,
            metrics: None,
        }
    }
}
