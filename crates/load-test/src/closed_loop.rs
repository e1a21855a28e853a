//! So many calls at any time: each answer sets off the next call.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::measure::{Span, Usage};
use crate::processes::Processes;
use crate::recorder::{Record, Recorder};
use crate::workload::{Slot, Targets, Workload};

/// Calls that still run at the end have this long.
const PATIENCE: Duration = Duration::from_secs(15);

/// Counts the calls that are answered between warm-up and end.
pub(crate) async fn run(
    targets: &Targets,
    workload: &Workload,
    in_flight: usize,
    span: Span,
    processes: &Processes,
) -> io::Result<(Record, Usage)> {
    let recorder = Rc::new(Recorder::new());
    let mut slots = JoinSet::new();
    for n in 0..in_flight {
        let slot = Slot::new(targets, n);
        slots.spawn_local(call_again_and_again(
            slot,
            workload.clone(),
            Rc::clone(&recorder),
        ));
    }
    let usage = span
        .watch(processes, || recorder.open(), || recorder.close())
        .await?;
    // Also so that the next measurement begins in quiet.
    let ended = timeout(PATIENCE, async {
        while slots.join_next().await.is_some() {}
    });
    if ended.await.is_err() {
        return Err(io::Error::other(
            "calls were still unanswered long after the end",
        ));
    }
    Ok((recorder.record(), usage))
}

async fn call_again_and_again(mut slot: Slot, workload: Workload, recorder: Rc<Recorder>) {
    while !recorder.is_closed() {
        let (rpc, frame) = workload.next();
        let started = Instant::now();
        let result = slot.call(rpc, frame).await;
        if recorder.is_open() {
            recorder.add(started.elapsed(), &result);
        }
        if result.is_err() {
            // A service that refuses at once would otherwise be asked as fast as we can.
            sleep(Duration::from_millis(10)).await;
        }
    }
}
