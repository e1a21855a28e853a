//! How long after a command's answer a query can see what it did.
//!
//! To ask again and again until a query shows it would cost the services more than the
//! commands do. So each probe is one GetCircle with the `min_sequence` of the answer, sent
//! when the answer has come: the query service answers as soon as the read model is there.
//! A lag so measured includes that call itself, its way there and back; nothing is taken off.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use circles_proto::circles::v1::GetCircleRequest;

use crate::grpc::{Rpc, frame};
use crate::measure::{Load, Measurement, Span};
use crate::open_loop;
use crate::processes::Processes;
use crate::recorder::Recorder;
use crate::workload::{Slot, Targets, Workload, Written};

/// How the lag is called at half of the highest rate of commands of the whole system, and of the command side alone.
pub(crate) const OF_ALL: &str = "lag";
pub(crate) const OF_COMMANDS: &str = "lag-alone";

/// Probes a second, so that the queries are no load of their own.
const PROBES: u32 = 250;

/// Follows some of the commands to the read model.
#[derive(Clone)]
pub(crate) struct Follower {
    /// One of so many commands is followed.
    every: u32,
    commands: Rc<Cell<u32>>,
    recorder: Rc<Recorder>,
}

impl Follower {
    /// Asks for the circle that was written, and records how long that takes.
    pub(crate) async fn follow(&self, slot: &mut Slot, written: Written) {
        let n = self.commands.get();
        self.commands.set(n.wrapping_add(1));
        if !n.is_multiple_of(self.every) {
            return;
        }
        let answered = Instant::now();
        let request = GetCircleRequest {
            circle_id: written.circle_id,
            min_sequence: Some(written.sequence),
        };
        let result = slot.call(Rpc::GetCircle, frame(&request)).await;
        self.recorder.add(answered.elapsed(), &result);
    }
}

/// Sends commands of `workload` at a fixed rate. Returns the measurement of the commands, then that of the lag,
/// which is called `name`.
pub(crate) async fn measure(
    name: &str,
    targets: &Targets,
    workload: &Workload,
    per_second: u32,
    span: Span,
    processes: &Processes,
) -> io::Result<[Measurement; 2]> {
    let follower = Follower {
        every: (per_second / PROBES).max(1),
        commands: Rc::default(),
        recorder: Rc::new(Recorder::new()),
    };
    follower.recorder.open();
    let load = Load::PerSecond(per_second);
    let (record, usage) = open_loop::run(
        targets,
        workload,
        per_second,
        span,
        processes,
        Some(&follower),
    )
    .await?;
    follower.recorder.close();
    let commands = Measurement {
        workload: workload.name().to_owned(),
        load,
        record,
        cpu: usage.cpu,
        elsewhere: usage.elsewhere,
        memory: usage.memory,
    };
    // What the processes used, they used for the commands.
    let lag = Measurement {
        workload: name.to_owned(),
        load,
        record: follower.recorder.record(),
        cpu: BTreeMap::new(),
        elsewhere: usage.elsewhere,
        memory: BTreeMap::new(),
    };
    Ok([commands, lag])
}
