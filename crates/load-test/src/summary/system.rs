//! What the whole system, its queries above all, must reach.

use super::{Report, cpu, of, spread};
use crate::lag;
use crate::measure::{Load, Measurement};
use crate::results::{median, rounds};

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
        if let Some(lag) = Lag::of(&rounds(&results.system, lag::OF_ALL, |_| true)) {
            self.line(
                format!("{}, half of the peak", lag.what()),
                "p50 under 5 ms, p99 under 25 ms",
                lag.figures(),
                lag.p50 < 5.0 && lag.p99 < 25.0 && lag.failed == 0,
            );
        }
        if let Some(lag) = Lag::of(&rounds(&results.system, lag::OF_COMMANDS, |_| true)) {
            let what = format!("{}, half of the peak of the command side alone", lag.what());
            self.note(what, lag.figures());
        }
    }
}

/// The medians of some rounds.
struct Lag {
    rate: u32,
    rounds: usize,
    probes: u64,
    failed: u64,
    p50: f64,
    p99: f64,
}

impl Lag {
    fn of(rounds: &[&Measurement]) -> Option<Self> {
        let Load::PerSecond(rate) = rounds.first()?.load else {
            return None;
        };
        let all = |figure: fn(&Measurement) -> f64| rounds.iter().map(|one| figure(one)).collect();
        Some(Self {
            rate,
            rounds: rounds.len(),
            probes: rounds.iter().map(|one| one.record.calls).sum(),
            failed: rounds.iter().map(|one| one.record.failed()).sum(),
            p50: median(all(|one| one.record.latency.p50))?,
            p99: median(all(|one| one.record.latency.p99))?,
        })
    }

    fn what(&self) -> String {
        let rate = self.rate;
        format!("from a command's answer to its visibility, at {rate} commands/s")
    }

    fn figures(&self) -> String {
        let Self {
            rounds,
            probes,
            p50,
            p99,
            ..
        } = self;
        format!("p50 {p50:.2} ms, p99 {p99:.2} ms, medians of {rounds} rounds; {probes} probes")
    }
}
