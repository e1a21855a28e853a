//! What the whole system, its queries above all, must reach.

use super::{Report, cpu, median_of, of, rate_of, spread};
use crate::measure::Load;
use crate::results::rounds;

impl Report<'_> {
    pub(super) fn system(&mut self) {
        self.get();
        self.lists();
        self.lag();
        let records = self.results.system.iter().map(|one| &one.record);
        self.failures("calls to the whole system", records);
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

    fn get(&mut self) {
        let get = of(&self.results.system, "get", 64);
        let echo = of(&self.results.system, "echo", 64);
        if let (Some(rate), Some(ceiling)) = (rate_of(&get), rate_of(&echo)) {
            let share = rate / ceiling * 100.0;
            self.line(
                "GetCircle against an empty call of tonic, 64 in flight",
                "at least 75 %",
                format!("{share:.0} %: {rate:.0}/s against {ceiling:.0}/s"),
                share >= 75.0,
            );
            self.note("GetCircle, 64 in flight", spread(&get));
            self.note("CPU per call", cpu(&get));
            self.note("an empty call of tonic, 64 in flight", spread(&echo));
            self.note("CPU per call", cpu(&echo));
        }
    }

    fn lists(&mut self) {
        for (name, list) in [
            ("list-name", "by name"),
            ("list-capacity", "by capacity, falling"),
            ("list-time", "the newest first"),
            ("list-prefix", "by name, with a prefix"),
            ("list-filters", "by capacity, with a prefix and a range"),
        ] {
            let all = of(&self.results.system, name, 16);
            let p99 = median_of(&all, |one| one.record.latency.p99);
            if let (Some(p99), Some(rate)) = (p99, rate_of(&all)) {
                let circles = self.results.circles;
                self.line(
                    format!("ListCircles, 50 of {circles}, {list}, 16 in flight, p99"),
                    "under 5 ms",
                    format!("{p99:.2} ms at {rate:.0}/s"),
                    p99 < 5.0,
                );
                self.note(format!("CPU per call, {name}"), cpu(&all));
            }
        }
    }

    fn lag(&mut self) {
        for lag in rounds(&self.results.system, "lag", |_| true) {
            let Load::PerSecond(rate) = lag.load else {
                continue;
            };
            let (probes, latency) = (lag.record.calls, &lag.record.latency);
            let (p50, p99) = (latency.p50, latency.p99);
            self.line(
                format!("from a command's answer to its visibility, at {rate} commands/s"),
                "p50 under 5 ms, p99 under 25 ms",
                format!("p50 {p50:.2} ms, p99 {p99:.2} ms; {probes} probes"),
                p50 < 5.0 && p99 < 25.0 && lag.record.failed() == 0,
            );
        }
    }
}
