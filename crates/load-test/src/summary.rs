//! `load-test summary`: what was measured against what must be reached.

mod commands;
mod get;
mod lists;
mod rebuild;
mod system;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use crate::measure::{Load, Measurement};
use crate::recorder::Record;
use crate::results::{Results, median, rounds};

/// Prints the report of each file in Markdown: first what has to be reached, then what explains it.
pub(crate) fn print(files: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    for file in files {
        let results: Results = serde_json::from_slice(&fs::read(file)?)?;
        let mut report = Report {
            results: &results,
            lines: Vec::new(),
            notes: Vec::new(),
        };
        report.commands();
        report.system();
        report.noise();
        report.print();
    }
    Ok(())
}

struct Report<'a> {
    results: &'a Results,
    lines: Vec<Line>,
    notes: Vec<[String; 2]>,
}

/// Something to reach.
struct Line {
    what: String,
    target: String,
    measured: String,
    reached: bool,
}

impl Report<'_> {
    fn line(
        &mut self,
        what: impl Into<String>,
        target: impl Into<String>,
        measured: impl Into<String>,
        reached: bool,
    ) {
        self.lines.push(Line {
            what: what.into(),
            target: target.into(),
            measured: measured.into(),
            reached,
        });
    }

    fn note(&mut self, what: impl Into<String>, measured: impl Into<String>) {
        self.notes.push([what.into(), measured.into()]);
    }

    /// A call that fails is quick, and so would make the rest look better than it is.
    fn failures<'b>(&mut self, what: &str, records: impl IntoIterator<Item = &'b Record>) {
        let (mut calls, mut failed) = (0, 0);
        for record in records {
            calls += record.calls + record.failed();
            failed += record.failed();
        }
        if calls > 0 {
            let measured = format!("{failed} of {calls}");
            self.line(format!("{what} that failed"), "none", measured, failed == 0);
        }
    }

    /// Whether the machine was left to the measurements.
    fn noise(&mut self) {
        let all = self.results.commands.iter().chain(&self.results.system);
        let quiet = self.results.rebuilds.iter().map(|one| &one.quiet);
        let cores = all
            .chain(quiet)
            .map(|one| one.elsewhere / one.record.seconds);
        let h2load = self.results.h2load.iter();
        let cores = cores.chain(h2load.map(|one| one.elsewhere / one.seconds));
        let cores: Vec<f64> = cores.collect();
        let most = cores.iter().copied().fold(0.0, f64::max);
        if let Some(median) = median(cores) {
            let measured = format!("{median:.2} cores, at most {most:.2}");
            self.note(
                "busy with other things meanwhile, the kernel's own included",
                measured,
            );
        }
    }

    fn print(&self) {
        let Results {
            engine,
            version,
            machine,
            ..
        } = self.results;
        let (cores, processor) = (machine.cores, &machine.processor);
        println!("\n### {engine} {version}, {cores} cores of {processor}\n");
        println!("| | to reach | measured | |\n|---|---|---|---|");
        for line in &self.lines {
            let verdict = if line.reached {
                "reached"
            } else {
                "**missed**"
            };
            println!(
                "| {} | {} | {} | {verdict} |",
                line.what, line.target, line.measured
            );
        }
        if !self.notes.is_empty() {
            println!("\n| besides | measured |\n|---|---|");
        }
        for [what, measured] in &self.notes {
            println!("| {what} | {measured} |");
        }
        let reached = self.lines.iter().filter(|line| line.reached).count();
        println!("\n{reached} of {} reached.", self.lines.len());
    }
}

fn of<'a>(measurements: &'a [Measurement], name: &str, calls: usize) -> Vec<&'a Measurement> {
    rounds(measurements, name, |load| load == Load::InFlight(calls))
}

fn rate_of(rounds: &[&Measurement]) -> Option<f64> {
    median_of(rounds, |one| one.record.per_second())
}

fn median_of(rounds: &[&Measurement], value: impl Fn(&Measurement) -> f64) -> Option<f64> {
    median(rounds.iter().map(|one| value(one)).collect())
}

/// The rate, how far the rounds lie apart, and latencies.
fn spread(rounds: &[&Measurement]) -> String {
    let rates = || rounds.iter().map(|one| one.record.per_second());
    let low = rates().fold(f64::MAX, f64::min);
    let high = rates().fold(0.0, f64::max);
    let rate = rate_of(rounds).unwrap_or_default();
    let p50 = median_of(rounds, |one| one.record.latency.p50).unwrap_or_default();
    let p99 = median_of(rounds, |one| one.record.latency.p99).unwrap_or_default();
    format!("{rate:.0}/s ({low:.0} to {high:.0}); p50 {p50:.1} ms, p99 {p99:.1} ms")
}

/// Microseconds of each process for a call.
fn cpu(rounds: &[&Measurement]) -> String {
    let used = |one: &&Measurement| -> BTreeMap<String, f64> {
        let calls = one.record.calls.max(1) as f64;
        let each = one.cpu.iter();
        each.map(|(name, cpu)| (name.clone(), cpu.seconds() * 1e6 / calls))
            .collect()
    };
    let rounds: Vec<_> = rounds.iter().map(used).collect();
    each(&rounds, |round| round)
}

/// The median of each process, in microseconds.
fn each<T>(rounds: &[T], used: impl Fn(&T) -> &BTreeMap<String, f64>) -> String {
    let names = rounds
        .first()
        .into_iter()
        .flat_map(|first| used(first).keys());
    let each = names.filter_map(|name| {
        let of_one = |round| used(round).get(name).copied().unwrap_or_default();
        let median = median(rounds.iter().map(of_one).collect())?;
        // What idles beside the call is no part of it.
        (median >= 0.1).then(|| format!("{name} {median:.1}"))
    });
    let each: Vec<_> = each.collect();
    format!("{} µs", each.join(", "))
}
