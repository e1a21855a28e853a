//! h2load, the load generator of nghttp2: it costs less CPU than ours, and so leaves more to the service.
//!
//! It sends one request again and again, and knows nothing of gRPC: to it, a call that failed is as
//! good as any other. So one call is made with our own client before and after each round, and
//! what came in all answers must have the size of so many like that one; a failure comes without a message.

mod output;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::client::{Client, Failure};
use crate::grpc::{Rpc, framed_length};
use crate::h2load::output::Output;
use crate::processes::{CpuUse, Processes};

/// Connections, and calls on each of them at any time: 64 in flight.
const CONNECTIONS: usize = 4;
const STREAMS: usize = 16;

/// What one round came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) workload: String,
    pub(crate) in_flight: usize,
    pub(crate) seconds: f64,
    pub(crate) calls: u64,
    pub(crate) per_second: f64,
    /// Latencies in milliseconds. h2load tells no percentiles.
    pub(crate) mean: f64,
    pub(crate) max: f64,
    /// What each process used, in microseconds per call. The generator's own share includes h2load.
    pub(crate) cpu: BTreeMap<String, f64>,
    /// CPU time that all others on the machine used meanwhile, in seconds.
    pub(crate) elsewhere: f64,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum H2loadError {
    /// The program can't be run, or what it needs can't be read or written.
    #[error("h2load")]
    Io(#[from] io::Error),
    /// It ran and says something else than we know.
    #[error("h2load says what can't be understood: {0}")]
    Output(String),
    /// Calls failed, at the level of HTTP.
    #[error("{failed} of {calls} calls by h2load failed")]
    Failed { failed: u64, calls: u64 },
    /// The call itself does not work.
    #[error("the call that h2load was to make fails")]
    Call(#[from] Failure),
    /// Not every answer was a message.
    #[error("{calls} answers of {length} bytes can't be {data} bytes: some calls failed")]
    Size { calls: u64, length: u64, data: u64 },
}

/// One request to one address, again and again.
pub(crate) struct H2load {
    program: PathBuf,
    request: PathBuf,
    address: String,
    client: Client,
    rpc: Rpc,
    frame: Bytes,
}

impl H2load {
    /// The request is kept in a file in `folder`, for the program to read.
    pub(crate) fn new(
        program: &Path,
        folder: &Path,
        (address, client): (&str, &Client),
        (rpc, frame): (Rpc, Bytes),
    ) -> io::Result<Self> {
        let request = folder.join(format!("load-test-{}-{rpc:?}.tmp", std::process::id()));
        fs::write(&request, &frame)?;
        Ok(Self {
            program: program.to_owned(),
            request,
            address: address.to_owned(),
            client: client.clone(),
            rpc,
            frame,
        })
    }

    /// Makes calls for so long, after a second that does not count.
    pub(crate) async fn round(
        &self,
        workload: &str,
        time: Duration,
        processes: &Processes,
    ) -> Result<Round, H2loadError> {
        // A run of its own: h2load's own warm-up is missing in its calls, but not in its bytes.
        self.run(Duration::from_secs(1)).await?;
        let length = self.call_once().await?;
        let before = processes.sample()?;
        let output = self.run(time).await?;
        let after = processes.sample()?;
        require(&output, length)?;
        require(&output, self.call_once().await?)?;
        let each =
            |(name, cpu): (String, CpuUse)| (name, cpu.seconds() * 1e6 / output.calls as f64);
        Ok(Round {
            workload: workload.to_owned(),
            in_flight: CONNECTIONS * STREAMS,
            seconds: time.as_secs_f64(),
            calls: output.calls,
            per_second: output.per_second,
            mean: output.mean,
            max: output.max,
            cpu: after.since(&before).into_iter().map(each).collect(),
            elsewhere: after.elsewhere_since(&before),
        })
    }

    /// How many bytes a good answer has.
    async fn call_once(&self) -> Result<u64, Failure> {
        let mut caller = self.client.caller(0);
        let answer = caller.call(self.rpc, self.frame.clone()).await?;
        Ok(framed_length(&answer) as u64)
    }

    async fn run(&self, time: Duration) -> Result<Output, H2loadError> {
        let mut command = Command::new(&self.program);
        command
            .args(["--threads=1", "--header=content-type: application/grpc"])
            .arg("--header=te: trailers")
            .arg(format!("--clients={CONNECTIONS}"))
            .arg(format!("--max-concurrent-streams={STREAMS}"))
            .arg(format!("--duration={}ms", time.as_millis()))
            .arg("--data")
            .arg(&self.request)
            .arg(format!("http://{}{}", self.address, self.rpc.path()))
            .stdin(Stdio::null());
        // Not on this thread, which has to answer the pings of the services.
        let output = spawn_blocking(move || command.output());
        let output = output.await.map_err(io::Error::other)??;
        let text = String::from_utf8_lossy(&output.stdout);
        match Output::parse(&text) {
            Some(parsed) if output.status.success() => Ok(parsed),
            _ => {
                let errors = String::from_utf8_lossy(&output.stderr);
                Err(H2loadError::Output(format!("{text}{errors}")))
            }
        }
    }
}

impl Drop for H2load {
    fn drop(&mut self) {
        // A file left behind does no harm.
        let _ = fs::remove_file(&self.request);
    }
}

/// Whether all calls were answered, and with a message of this length.
fn require(output: &Output, length: u64) -> Result<(), H2loadError> {
    let Output {
        calls,
        failed,
        data,
        ..
    } = *output;
    if failed > 0 || calls == 0 {
        return Err(H2loadError::Failed { failed, calls });
    }
    // At the end some answers have come without their trailers.
    let most = calls + (CONNECTIONS * STREAMS) as u64;
    if (calls * length..=most * length).contains(&data) {
        Ok(())
    } else {
        Err(H2loadError::Size {
            calls,
            length,
            data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(calls: u64, failed: u64, data: u64) -> Output {
        Output {
            calls,
            failed,
            data,
            per_second: 1.0,
            mean: 1.0,
            max: 1.0,
        }
    }

    #[test]
    fn answers_without_a_message_are_noticed() {
        assert!(require(&output(1_000, 0, 43_000), 43).is_ok());
        assert!(require(&output(1_000, 0, 43_000 + 64 * 43), 43).is_ok());
        assert!(matches!(
            require(&output(1_000, 0, 999 * 43), 43),
            Err(H2loadError::Size { .. })
        ));
        assert!(matches!(
            require(&output(1_000, 0, 44_000 + 65 * 44), 43),
            Err(H2loadError::Size { .. })
        ));
    }

    #[test]
    fn failures_and_silence_are_noticed() {
        assert!(matches!(
            require(&output(1_000, 1, 43_000), 43),
            Err(H2loadError::Failed { failed: 1, .. })
        ));
        assert!(matches!(
            require(&output(0, 0, 0), 43),
            Err(H2loadError::Failed { .. })
        ));
    }
}
