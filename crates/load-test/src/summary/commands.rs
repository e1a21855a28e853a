//! What the command side must reach.

use super::{Report, cpu, median_of, of, rate_of, spread};
use crate::overload::{self, Overload};
use crate::results::median;

/// At least so many times the rate of one client alone, and about the rate of the prototype that
/// checked nothing.
fn targets(engine: &str) -> (f64, f64) {
    match engine {
        "mariadb" => (25.0, 40_000.0),
        _ => (20.0, 25_000.0),
    }
}

impl Report<'_> {
    pub(super) fn commands(&mut self) {
        self.create();
        self.update();
        self.overload();
        self.memory();
        self.long_circle();
        let results = self.results;
        let endurance = results.endurance.iter().map(|one| &one.measurement);
        let all = results.commands.iter().chain(endurance);
        self.failures("commands", all.map(|one| &one.record));
        self.cpu_of_commands();
        self.ceilings();
    }

    fn create(&mut self) {
        let create = |calls| of(&self.results.commands, "create", calls);
        let (one, some, crowd) = (create(1), create(64), create(1_024));
        let keyed = of(&self.results.commands, "create-keyed", 1_024);
        let (times, prototype) = targets(&self.results.engine);
        if let (Some(one), Some(rate)) = (rate_of(&one), rate_of(&crowd)) {
            self.line(
                "CreateCircle, 1,024 in flight against 1",
                format!("at least {times} times"),
                format!("{:.1} times: {rate:.0}/s over {one:.0}/s", rate / one),
                rate >= times * one,
            );
            self.line(
                "CreateCircle, 1,024 in flight",
                format!("{prototype:.0}/s, as the prototype without checks"),
                spread(&crowd),
                rate >= prototype,
            );
        }
        if !keyed.is_empty() {
            self.note(
                "CreateCircle with a random request_id, 1,024 in flight",
                spread(&keyed),
            );
        }
        let tail = median_of(&some, |one| one.record.latency.p99 / one.record.latency.p50);
        if let Some(tail) = tail {
            self.line(
                "CreateCircle, 64 in flight, p99 over p50",
                "under 3",
                format!("{tail:.2}; {}", spread(&some)),
                tail < 3.0,
            );
        }
    }

    fn update(&mut self) {
        for calls in [64, 256, 1_024] {
            let update = rate_of(&of(&self.results.commands, "update", calls));
            let create = rate_of(&of(&self.results.commands, "create", calls));
            if let (Some(update), Some(create)) = (update, create) {
                let share = update / create * 100.0;
                self.line(
                    format!("UpdateCircle against CreateCircle, {calls} in flight"),
                    "at least 80 %",
                    format!("{share:.0} %: {update:.0}/s against {create:.0}/s"),
                    share >= 80.0,
                );
            }
        }
    }

    fn overload(&mut self) {
        let rounds = &self.results.overloads;
        let middle = |value: fn(&Overload) -> f64| median(rounds.iter().map(value).collect());
        let (Some(left), Some(offered)) = (middle(Overload::left), middle(Overload::offered))
        else {
            return;
        };
        self.line(
            "CreateCircle, more than the queue has room for, against the peak",
            format!("at least 80 % at {} times as many", overload::TIMES),
            format!("{:.0} % at {offered:.1} times as many", left * 100.0),
            left >= 0.8 && offered >= overload::TIMES,
        );
        let health = rounds.iter().map(|one| one.health);
        let (answered, unanswered) = health.clone().fold((0, 0), |(answered, unanswered), one| {
            (answered + one.answered, unanswered + one.unanswered)
        });
        let slowest = health.map(|one| one.slowest).fold(0.0, f64::max);
        self.line(
            "the health meanwhile, unanswered",
            "none",
            format!(
                "{unanswered} of {}; the slowest took {slowest:.0} ms",
                answered + unanswered
            ),
            unanswered == 0,
        );
    }

    fn memory(&mut self) {
        let Some(endurance) = &self.results.endurance else {
            return;
        };
        let seconds = endurance.measurement.record.seconds;
        let (peak, growth) = (endurance.peak, endurance.growth() * 100.0);
        self.line(
            format!("memory of the command service, 1,024 in flight for {seconds:.0} s"),
            "under 150 MiB",
            format!("at most {peak:.0} MiB"),
            peak < 150.0,
        );
        self.line(
            "the same, flat",
            "under 5 % more",
            format!("{growth:+.1} % from the second quarter to the last"),
            growth < 5.0,
        );
    }

    fn long_circle(&mut self) {
        let Some(long) = &self.results.long_circle else {
            return;
        };
        let (slow, quick) = (&long.long.latency, &long.short.latency);
        let (median, mean) = (slow.p50 / quick.p50, slow.mean / quick.mean);
        let (slow, quick) = (slow.p50, quick.p50);
        self.line(
            format!("UpdateCircle alone, {} events against 5", long.events),
            "at most 2 times",
            format!(
                "{median:.2} times: p50 {slow:.2} ms against {quick:.2} ms; mean {mean:.2} times"
            ),
            median <= 2.0 && mean <= 2.0,
        );
        self.failures("these calls", [&long.long, &long.short]);
    }

    fn cpu_of_commands(&mut self) {
        for (name, calls) in [
            ("create", 1),
            ("create", 64),
            ("create", 1_024),
            ("update", 1_024),
        ] {
            let all = of(&self.results.commands, name, calls);
            if !all.is_empty() {
                self.note(
                    format!("CPU per call, {name}, {calls} in flight"),
                    cpu(&all),
                );
            }
        }
    }

    fn ceilings(&mut self) {
        for ceiling in &self.results.ceilings {
            let (rate, unit, p50) = (ceiling.per_second, &ceiling.unit, ceiling.latency.p50);
            self.note(
                format!("ceiling: {}, {} at a time", ceiling.name, ceiling.batch),
                format!("{rate:.0} {unit}/s; p50 {p50:.3} ms"),
            );
        }
        let inserts = self
            .results
            .ceilings
            .iter()
            .filter(|one| one.name == "insert");
        let fastest = inserts.map(|one| one.per_second).fold(0.0, f64::max);
        let create = rate_of(&of(&self.results.commands, "create", 1_024));
        if let Some(create) = create.filter(|_| fastest > 0.0) {
            let share = create / fastest * 100.0;
            self.note(
                "CreateCircle against the fastest raw INSERT",
                format!("{share:.0} %"),
            );
        }
    }
}
