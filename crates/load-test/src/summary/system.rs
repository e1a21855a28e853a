//! What the whole system, its queries above all, must reach.

use super::{Report, cpu, of, spread};
use crate::lag;
use crate::measure::{Load, Measurement};
use crate::results::rounds;

impl Report<'_> {
    pub(super) fn system(&mut self) {
        self.get();
        self.lists();
        self.lag();
        self.rebuild();
        let records = self.results.system.iter().map(|one| &one.record);
        let rebuilds = self.results.rebuilds.iter();
        let during = rebuilds.flat_map(|one| [&one.quiet.record, &one.meanwhile]);
        self.failures("calls to the whole system", records.chain(during));
        for (name, calls) in [("batch-get", 16), ("mix", 64), ("create", 1_024)] {
            let all = of(&self.results.system, name, calls);
            if !all.is_empty() {
                self.note(
                    format!("whole system: {name}, {calls} in flight"),
                    spread(&all),
                );
                self.note("CPU per call", cpu(&all));
            }
        }
    }

    fn lag(&mut self) {
        let results = self.results;
        for one in rounds(&results.system, lag::OF_ALL, |_| true) {
            let (p50, p99) = (one.record.latency.p50, one.record.latency.p99);
            self.line(
                format!("{}, half of the peak", visible(one)),
                "p50 under 5 ms, p99 under 25 ms",
                lag_of(one),
                p50 < 5.0 && p99 < 25.0 && one.record.failed() == 0,
            );
        }
        for one in rounds(&results.system, lag::OF_COMMANDS, |_| true) {
            let what = format!(
                "{}, half of the peak of the command side alone",
                visible(one)
            );
            self.note(what, lag_of(one));
        }
    }
}

fn visible(lag: &Measurement) -> String {
    let rate = match lag.load {
        Load::PerSecond(rate) => rate,
        Load::InFlight(_) => 0,
    };
    format!("from a command's answer to its visibility, at {rate} commands/s")
}

fn lag_of(lag: &Measurement) -> String {
    let (probes, latency) = (lag.record.calls, &lag.record.latency);
    format!(
        "p50 {:.2} ms, p99 {:.2} ms; {probes} probes",
        latency.p50, latency.p99
    )
}
