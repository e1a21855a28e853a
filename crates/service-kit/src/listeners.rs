//! Where a service is reached.

use tokio::net::TcpListener;

/// The sockets of a service. Made from the one for gRPC, it has no metrics.
#[derive(Debug)]
pub struct Listeners {
    /// For gRPC.
    pub grpc: TcpListener,
    /// For the metrics, where they are asked for.
    pub metrics: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(grpc: TcpListener) -> Self {
        Self {
            grpc,
            metrics: None,
        }
    }
}
