//! One measurement: a workload under some load, with what the processes use meanwhile.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::processes::{CpuUse, Memory, Processes};
use crate::recorder::Record;
use crate::workload::{Targets, Workload};
use crate::{closed_loop, open_loop};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

/// How a workload is applied.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Load {
    /// So many calls at any time: each answer sets off the next call. Tells what a service can do.
    InFlight(usize),
    /// So many calls a second, whatever becomes of them. Latencies count from the moment that a call
    /// was due, so a service that stalls can't hide it by slowing down the generator.
    PerSecond(u32),
}

/// How long a measurement takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Calls made before, which do not count.
    pub(crate) warm_up: Duration,
    /// The measurement proper.
    pub(crate) measured: Duration,
}

/// What the processes used.
pub(crate) struct Usage {
    pub(crate) cpu: BTreeMap<String, CpuUse>,
    pub(crate) elsewhere: f64,
    pub(crate) memory: BTreeMap<String, Memory>,
}

/// What came out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measurement {
    pub(crate) workload: String,
    pub(crate) load: Load,
    pub(crate) record: Record,
    /// What each process used while it was recorded.
    pub(crate) cpu: BTreeMap<String, CpuUse>,
    /// CPU time that all others on the machine used meanwhile, in seconds. With much of it the rest tells little.
    pub(crate) elsewhere: f64,
    /// What each process held at the end.
    pub(crate) memory: BTreeMap<String, Memory>,
}

impl Span {
    /// What the processes use while it lasts.
    pub(crate) async fn watch(
        self,
        processes: &Processes,
        begin: impl FnOnce(),
        end: impl FnOnce(),
    ) -> io::Result<Usage> {
        sleep(self.warm_up).await;
        let before = processes.sample()?;
        begin();
        sleep(self.measured).await;
        end();
        let after = processes.sample()?;
        Ok(Usage {
            cpu: after.since(&before),
            elsewhere: after.elsewhere_since(&before),
            memory: processes.memory()?,
        })
    }
}

/// Applies a workload and measures.
pub(crate) async fn measure(
    targets: &Targets,
    workload: &Workload,
    load: Load,
    span: Span,
    processes: &Processes,
) -> io::Result<Measurement> {
    let (record, usage) = match load {
        Load::InFlight(calls) => {
            closed_loop::run(targets, workload, calls, span, processes).await?
        }
        Load::PerSecond(calls) => {
            open_loop::run(targets, workload, calls, span, processes, None).await?
        }
    };
    Ok(Measurement {
        workload: workload.name().to_owned(),
        load,
        record,
        cpu: usage.cpu,
        elsewhere: usage.elsewhere,
        memory: usage.memory,
    })
}
