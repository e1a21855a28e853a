//! One measurement: a workload under some load, with what the processes use meanwhile.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::processes::{CpuUse, Memory, Processes};
use crate::recorder::{Record, Recorder};
use crate::workload::{Slot, Targets, Workload};

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

/// What came out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measurement {
    pub(crate) workload: String,
    pub(crate) load: Load,
    pub(crate) record: Record,
    /// What each process used while it was recorded.
    pub(crate) cpu: BTreeMap<String, CpuUse>,
    /// What each process held at the end.
    pub(crate) memory: BTreeMap<String, Memory>,
}

/// Calls that still run at the end have this long.
const PATIENCE: Duration = Duration::from_secs(15);

/// Applies a workload and measures.
pub(crate) async fn measure(
    targets: &Targets,
    workload: &Workload,
    load: Load,
    span: Span,
    processes: &Processes,
) -> io::Result<Measurement> {
    let recorder = Rc::new(Recorder::new());
    let mut slots = JoinSet::new();
    match load {
        Load::InFlight(in_flight) => {
            for n in 0..in_flight {
                let slot = Slot::new(targets, n);
                slots.spawn_local(call_again_and_again(
                    slot,
                    workload.clone(),
                    Rc::clone(&recorder),
                ));
            }
        }
        Load::PerSecond(_) => {}
    }

    sleep(span.warm_up).await;
    let before = processes.sample()?;
    recorder.open();
    sleep(span.measured).await;
    let time = recorder.close();
    let cpu = processes.sample()?.since(&before);
    let memory = processes.memory()?;

    // Also so that the next measurement begins in quiet.
    let ended = timeout(PATIENCE, async {
        while slots.join_next().await.is_some() {}
    });
    if ended.await.is_err() {
        return Err(io::Error::other(
            "calls were still unanswered long after the end",
        ));
    }
    Ok(Measurement {
        workload: workload.name().to_owned(),
        load,
        record: recorder.record(time),
        cpu,
        memory,
    })
}

async fn call_again_and_again(mut slot: Slot, workload: Workload, recorder: Rc<Recorder>) {
    while !recorder.is_closed() {
        let (rpc, frame) = workload.next();
        let started = Instant::now();
        let result = slot.call(rpc, frame).await;
        let failed = result.is_err();
        if recorder.is_open() {
            recorder.add(started.elapsed(), result);
        }
        if failed {
            // A service that refuses at once would otherwise be asked as fast as we can.
            sleep(Duration::from_millis(10)).await;
        }
    }
}
