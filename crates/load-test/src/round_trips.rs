//! How often the query service goes to Redis for one call.
//!
//! Calls are made one at a time, so each way there makes Redis read from a connection at least once,
//! and Redis counts these reads. What else it reads meanwhile is small, and is counted before.

use std::error::Error;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::redis_pipe::Pipe;
use crate::workload::{Slot, Targets, Workload};

/// Calls that are made.
const CALLS: u32 = 200;

/// Since Redis 6.0.
const READS: &str = "total_reads_processed";

/// Reads of Redis for a call of `workload`, without those of an idle system.
pub(crate) async fn count(
    targets: &Targets,
    workload: &Workload,
    redis_url: &str,
) -> Result<f64, Box<dyn Error>> {
    let mut pipe = Pipe::connect(redis_url)?;
    let mut slot = Slot::new(targets, 0);
    let idle = Duration::from_secs(1);
    let before = pipe.info(READS)?;
    sleep(idle).await;
    let begun = pipe.info(READS)?;
    let started = Instant::now();
    for _ in 0..CALLS {
        let (rpc, frame) = workload.next();
        slot.call(rpc, frame).await?;
    }
    let took = started.elapsed();
    let after = pipe.info(READS)?;
    let others = (begun - before) as f64 * took.as_secs_f64() / idle.as_secs_f64();
    Ok(((after - begun) as f64 - others) / f64::from(CALLS))
}
