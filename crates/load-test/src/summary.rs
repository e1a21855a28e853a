//! `load-test summary`: what was measured against what must be reached.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use crate::measure::{Load, Measurement};
use crate::recorder::Record;
use crate::results::{Results, median, rounds};

/// One line of the report.
struct Line {
    what: String,
    /// None where there is nothing to reach.
    target: Option<String>,
    measured: String,
    met: bool,
}

/// Prints the report as a Markdown table.
pub(crate) fn print(files: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    for file in files {
        let results: Results = serde_json::from_slice(&fs::read(file)?)?;
        println!(
            "\n{} {} on {} cores of {}\n",
            results.engine, results.version, results.machine.cores, results.machine.processor
        );
        println!("| what | to reach | measured | |\n|---|---|---|---|");
        let mut report = Report::new(&results);
        report.commands();
        report.system();
        for line in report.lines {
            let verdict = match (&line.target, line.met) {
                (None, _) => "",
                (_, true) => "reached",
                (_, false) => "MISSED",
            };
            let target = line.target.as_deref().unwrap_or_default();
            println!(
                "| {} | {target} | {} | {verdict} |",
                line.what, line.measured
            );
        }
    }
    Ok(())
}

struct Report<'a> {
    results: &'a Results,
    lines: Vec<Line>,
}

impl<'a> Report<'a> {
    fn new(results: &'a Results) -> Self {
        Self {
            results,
            lines: Vec::new(),
        }
    }

    fn commands(&mut self) {
        let commands = &self.results.commands;
        let create = |calls| of(commands, "create", calls);
        let update = |calls| of(commands, "update", calls);
        let (times, rate) = match self.results.engine.as_str() {
            "mariadb" => (25.0, 40_000.0),
            _ => (20.0, 25_000.0),
        };

        if let (Some(one), Some(crowd)) = (rate_of(&create(1)), rate_of(&create(1_024))) {
            let measured = format!("{:.1} times: {crowd:.0}/s over {one:.0}/s", crowd / one);
            let target = format!("at least {times} times");
            self.line(
                "CreateCircle, 1,024 in flight against 1",
                &target,
                &measured,
                crowd >= times * one,
            );
            let spread = spread(&create(1_024));
            let target = format!("{rate:.0}/s, the prototype without checks");
            self.line(
                "CreateCircle, 1,024 in flight",
                &target,
                &spread,
                crowd >= rate,
            );
        }
        let keyed = of(commands, "create-keyed", 1_024);
        if !keyed.is_empty() {
            self.note("the same, each with a random request_id", &spread(&keyed));
        }
        let tails = create(64);
        let tails = tails
            .iter()
            .map(|one| one.record.latency.p99 / one.record.latency.p50);
        if let (Some(ratio), Some(first)) = (median(tails.collect()), create(64).first()) {
            let Record { latency, .. } = &first.record;
            let measured = format!(
                "{ratio:.2}; in round 1 {:.2} ms over {:.2} ms",
                latency.p99, latency.p50
            );
            self.line(
                "CreateCircle, 64 in flight, p99 over p50",
                "under 3",
                &measured,
                ratio < 3.0,
            );
        }
        for calls in [64, 256, 1_024] {
            if let (Some(update), Some(create)) = (rate_of(&update(calls)), rate_of(&create(calls)))
            {
                let ratio = update / create;
                let measured = format!(
                    "{:.0} %: {update:.0}/s against {create:.0}/s",
                    ratio * 100.0
                );
                let what = format!("UpdateCircle against CreateCircle, {calls} in flight");
                self.line(&what, "at least 80 %", &measured, ratio >= 0.8);
            }
        }
        for (name, calls) in [
            ("create", 1),
            ("create", 64),
            ("create", 1_024),
            ("update", 1_024),
        ] {
            let all = of(commands, name, calls);
            if !all.is_empty() {
                self.note(
                    &format!("CPU per call, {name}, {calls} in flight"),
                    &cpu(&all),
                );
            }
        }
        for ceiling in &self.results.ceilings {
            let unit = &ceiling.unit;
            let measured = format!(
                "{:.0} {unit}/s; p50 {:.3} ms",
                ceiling.per_second, ceiling.latency.p50
            );
            self.note(
                &format!("ceiling: {}, {} at a time", ceiling.name, ceiling.batch),
                &measured,
            );
        }
        let insert = self
            .results
            .ceilings
            .iter()
            .find(|one| one.name == "insert" && one.batch == 1_024);
        if let (Some(insert), Some(crowd)) = (insert, rate_of(&create(1_024))) {
            let measured = format!("{:.0} %", crowd / insert.per_second * 100.0);
            self.note("CreateCircle against the raw INSERT, 1,024 each", &measured);
        }
        if let Some(endurance) = &self.results.endurance {
            let highest = endurance
                .resident
                .iter()
                .copied()
                .fold(endurance.peak, f64::max);
            let seconds = endurance.measurement.record.seconds;
            let what = format!("memory of the command service, 1,024 in flight for {seconds:.0} s");
            self.line(
                &what,
                "under 150 MiB",
                &format!("at most {highest:.0} MiB"),
                highest < 150.0,
            );
            let growth = endurance.growth();
            let measured = format!(
                "{:+.1} % from the second quarter to the last",
                growth * 100.0
            );
            self.line("the same, flat", "under 5 % more", &measured, growth < 0.05);
        }
        if let Some(long) = &self.results.long_circle {
            let (slow, quick) = (&long.long.latency, &long.short.latency);
            let ratio = slow.p50 / quick.p50;
            let what = format!("UpdateCircle, {} events against 5", long.events);
            let measured = format!(
                "{ratio:.2} times: p50 {:.2} ms against {:.2} ms; mean {:.2} times",
                slow.p50,
                quick.p50,
                slow.mean / quick.mean
            );
            let met = ratio <= 2.0 && slow.mean <= 2.0 * quick.mean;
            self.line(&what, "at most 2 times", &measured, met);
            self.failures("calls on long and short circles", [&long.long, &long.short]);
        }
        let endurance = self
            .results
            .endurance
            .iter()
            .map(|one| &one.measurement.record);
        let records = commands.iter().map(|one| &one.record).chain(endurance);
        self.failures("commands", records);
    }

    fn system(&mut self) {
        let system = &self.results.system;
        if let (Some(get), Some(echo)) = (
            rate_of(&of(system, "get", 64)),
            rate_of(&of(system, "echo", 64)),
        ) {
            let ratio = get / echo;
            let measured = format!("{:.0} %: {get:.0}/s against {echo:.0}/s", ratio * 100.0);
            self.line(
                "GetCircle against an empty call, 64 in flight",
                "at least 75 %",
                &measured,
                ratio >= 0.75,
            );
            self.note("CPU per call, GetCircle", &cpu(&of(system, "get", 64)));
            self.note("CPU per call, empty call", &cpu(&of(system, "echo", 64)));
        }
        for name in [
            "list-name",
            "list-capacity",
            "list-time",
            "list-prefix",
            "list-filters",
        ] {
            let all = of(system, name, 16);
            if let Some(p99) = median(all.iter().map(|one| one.record.latency.p99).collect()) {
                let what = format!("{name}, 50 of {}, 16 in flight, p99", self.results.circles);
                let rate = rate_of(&all).unwrap_or_default();
                self.line(
                    &what,
                    "under 5 ms",
                    &format!("{p99:.2} ms at {rate:.0}/s"),
                    p99 < 5.0,
                );
            }
        }
        for (name, calls) in [("batch-get", 16), ("mix", 64), ("create", 1_024)] {
            let all = of(system, name, calls);
            if !all.is_empty() {
                self.note(
                    &format!("whole system: {name}, {calls} in flight"),
                    &spread(&all),
                );
                self.note("CPU per call", &cpu(&all));
            }
        }
        for lag in rounds(system, "lag", |_| true) {
            let latency = &lag.record.latency;
            let rate = if let Load::PerSecond(rate) = lag.load {
                rate
            } else {
                0
            };
            let what = format!("lag at {rate} commands/s");
            let measured = format!(
                "p50 {:.2} ms, p99 {:.2} ms; {} probes",
                latency.p50, latency.p99, lag.record.calls
            );
            let met = latency.p50 < 5.0 && latency.p99 < 25.0 && lag.record.failed() == 0;
            self.line(&what, "p50 under 5 ms, p99 under 25 ms", &measured, met);
        }
        self.failures(
            "calls to the whole system",
            system.iter().map(|one| &one.record),
        );
    }

    fn failures<'b>(&mut self, what: &str, records: impl IntoIterator<Item = &'b Record>) {
        let mut calls = 0;
        let mut failed = 0;
        for record in records {
            calls += record.calls;
            failed += record.failed();
        }
        if calls + failed > 0 {
            let measured = format!("{failed} of {}", calls + failed);
            self.line(
                &format!("{what} that failed"),
                "none",
                &measured,
                failed == 0,
            );
        }
    }

    fn line(&mut self, what: &str, target: &str, measured: &str, met: bool) {
        self.lines.push(Line {
            what: what.to_owned(),
            target: Some(target.to_owned()),
            measured: measured.to_owned(),
            met,
        });
    }

    fn note(&mut self, what: &str, measured: &str) {
        self.lines.push(Line {
            what: what.to_owned(),
            target: None,
            measured: measured.to_owned(),
            met: true,
        });
    }
}

fn of<'a>(measurements: &'a [Measurement], name: &str, calls: usize) -> Vec<&'a Measurement> {
    rounds(measurements, name, |load| load == Load::InFlight(calls))
}

fn rate_of(rounds: &[&Measurement]) -> Option<f64> {
    median(rounds.iter().map(|one| one.record.per_second()).collect())
}

/// The rate with how far the rounds lie apart, and latencies.
fn spread(rounds: &[&Measurement]) -> String {
    let rates = || rounds.iter().map(|one| one.record.per_second());
    let (low, high) = (
        rates().fold(f64::MAX, f64::min),
        rates().fold(0.0, f64::max),
    );
    let at = |latency: fn(&Measurement) -> f64| {
        median(rounds.iter().map(|one| latency(one)).collect()).unwrap_or_default()
    };
    format!(
        "{:.0}/s ({low:.0} to {high:.0}); p50 {:.1} ms, p99 {:.1} ms",
        rate_of(rounds).unwrap_or_default(),
        at(|one| one.record.latency.p50),
        at(|one| one.record.latency.p99)
    )
}

/// Microseconds of each process for a call.
fn cpu(rounds: &[&Measurement]) -> String {
    let Some(first) = rounds.first() else {
        return String::new();
    };
    let each = first.cpu.keys().filter_map(|name| {
        let per_call = rounds.iter().filter_map(|one| {
            let seconds = one.cpu.get(name)?.seconds();
            Some(seconds * 1e6 / one.record.calls.max(1) as f64)
        });
        // What idles beside the call is no part of it.
        let used = median(per_call.collect()).filter(|used| *used >= 0.1)?;
        Some(format!("{name} {used:.1}"))
    });
    let each: Vec<_> = each.collect();
    format!("{} µs", each.join(", "))
}
