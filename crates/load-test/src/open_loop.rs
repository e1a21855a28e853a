//! So many calls a second, whatever becomes of them.

use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::lag::Follower;
use crate::measure::{Span, Usage};
use crate::pacer;
use crate::processes::Processes;
use crate::recorder::{Record, Recorder};
use crate::workload::{Slot, Targets, Workload};

/// Calls that still run at the end have this long; then they count as failed.
const PATIENCE: Duration = Duration::from_secs(15);

/// Counts the calls that were due between warm-up and end, whenever they are answered.
///
/// The rate that the record tells is that at which they were answered.
pub(crate) async fn run(
    targets: &Targets,
    workload: &Workload,
    per_second: u32,
    span: Span,
    processes: &Processes,
    follower: Option<&Follower>,
) -> io::Result<(Record, Usage)> {
    let recorder = Rc::new(Recorder::new());
    let calls = async {
        let mut calls = Calls::default();
        let mut due = pacer::start(per_second, span.warm_up, span.measured);
        while let Some(due) = due.recv().await {
            calls.start(targets, workload, due, &recorder, follower);
        }
        // What is not answered by then shows as missing in the record.
        let _ = timeout(PATIENCE, calls.end()).await;
        recorder.close();
    };
    let watch = span.watch(processes, || recorder.open(), || ());
    let ((), usage) = tokio::join!(calls, watch);
    Ok((recorder.record(), usage?))
}

/// Makes calls as long as `work` runs, and counts them all.
pub(crate) async fn run_during<T>(
    targets: &Targets,
    workload: &Workload,
    per_second: u32,
    work: impl Future<Output = T>,
) -> (Record, T) {
    let recorder = Rc::new(Recorder::new());
    let mut calls = Calls::default();
    let mut due = pacer::start(per_second, Duration::ZERO, Duration::MAX);
    let mut work = pin!(work);
    recorder.open();
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            Some(due) = due.recv() => calls.start(targets, workload, due, &recorder, None),
        }
    };
    drop(due);
    let _ = timeout(PATIENCE, calls.end()).await;
    recorder.close();
    (recorder.record(), done)
}

#[derive(Default)]
struct Calls {
    running: JoinSet<()>,
    /// Slots that were used and are free again.
    idle: Rc<RefCell<Vec<Slot>>>,
    slots: usize,
}

impl Calls {
    fn start(
        &mut self,
        targets: &Targets,
        workload: &Workload,
        due: pacer::Due,
        recorder: &Rc<Recorder>,
        follower: Option<&Follower>,
    ) {
        while self.running.try_join_next().is_some() {}
        if due.counts {
            recorder.expect_one();
        }
        let slot = self.idle.borrow_mut().pop();
        let mut slot = slot.unwrap_or_else(|| {
            self.slots += 1;
            Slot::new(targets, self.slots)
        });
        let (rpc, frame) = workload.next();
        let idle = Rc::clone(&self.idle);
        let recorder = Rc::clone(recorder);
        let follower = follower.filter(|_| due.counts).cloned();
        self.running.spawn_local(async move {
            let result = slot.call(rpc, frame).await;
            if due.counts {
                recorder.add(due.at.elapsed(), &result);
            }
            if let (Some(follower), Ok(Some(written))) = (follower, result) {
                follower.follow(&mut slot, written).await;
            }
            idle.borrow_mut().push(slot);
        });
    }

    async fn end(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}
