//! Asks a running service how it is. The `check` subcommand is this, so that images need no probe of their own.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::time;
use tonic::transport::{self, Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    config::{Invalid, Reader, parse},
    health,
    listeners::Besides,
    tls,
};

/// Connecting and asking together.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Why a service does not count as healthy.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Nobody listens there.
    #[error("cannot connect to {address}")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: transport::Error,
    },
    /// Someone listens, but the question failed.
    #[error("{address} did not tell its health: {status}")]
    Refused {
        /// Who was asked.
        address: SocketAddr,
        /// What came back.
        status: Box<tonic::Status>,
    },
    /// The service says that it can't serve.
    #[error("{address} is {}", .status.as_str_name())]
    NotServing {
        /// Who was asked.
        address: SocketAddr,
        /// What it answered.
        status: ServingStatus,
    },
    /// No answer.
    #[error("{address} did not answer within {TIMEOUT:?}")]
    TimedOut {
        /// Who was asked.
        address: SocketAddr,
    },
}

/// Where the service of this environment tells its health: at [`health::LISTEN`] where that is set, else where it `listen`s.
///
/// # Errors
/// When the reader refused a variable, or the service tells its health by TLS alone, which this does not speak.
pub(crate) fn read_target(
    reader: &mut Reader<'_>,
    listen: impl FnOnce(&mut Reader<'_>) -> Result<SocketAddr, Invalid>,
) -> Result<SocketAddr, Invalid> {
    let listen = listen(reader);
    if let Some(health) = Besides::read(reader)?.health {
        return Ok(health);
    }
    // What is in the files is of no interest here, and may be in the middle of a change.
    match reader.optional(tls::CERTIFICATE, parse::text)? {
        Some(_) => {
            let rule = format!("must be set for `check` where {} is", tls::CERTIFICATE);
            Err(reader.reject(health::LISTEN, &rule))
        }
        None => listen,
    }
}

/// Asks the service that listens on `listen` for its overall health (`grpc.health.v1`), for three seconds at most.
///
/// `listen` may be the address from the service's own configuration: one that stands for every
/// interface is reached over loopback.
///
/// # Errors
/// Unless the answer is SERVING.
pub async fn check(listen: SocketAddr) -> Result<(), CheckError> {
    let address = reachable(listen);
    match time::timeout(TIMEOUT, ask(address)).await {
        Ok(Ok(ServingStatus::Serving)) => Ok(()),
        Ok(Ok(status)) => Err(CheckError::NotServing { address, status }),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(CheckError::TimedOut { address }),
    }
}

async fn ask(address: SocketAddr) -> Result<ServingStatus, CheckError> {
    let connect = |source| CheckError::Connect { address, source };
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(connect)?;
    let channel = endpoint.connect().await.map_err(connect)?;
    match HealthClient::new(channel)
        .check(HealthCheckRequest::default())
        .await
    {
        Ok(answer) => Ok(answer.get_ref().status()),
        Err(status) => Err(CheckError::Refused {
            address,
            status: Box::new(status),
        }),
    }
}

/// `0.0.0.0` and `[::]` are addresses to listen on, not to connect to.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_is_reached_over_loopback() {
        for (listen, expected) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:2", "[::1]:2"),
            ("10.0.0.1:3", "10.0.0.1:3"),
            ("[fe80::1]:4", "[fe80::1]:4"),
        ] {
            let listen: SocketAddr = listen.parse().unwrap();
            assert_eq!(reachable(listen).to_string(), expected);
        }
    }
}
