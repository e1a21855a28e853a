//! Measurements for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::ceilings::Ceiling;
use crate::endurance::Endurance;
use crate::h2load::Round;
use crate::long_circle::LongCircle;
use crate::measure::{Load, Measurement};
use crate::processes::CpuUse;
use crate::rebuild::Rebuild;
use crate::recorder::Record;

/// The heading of [`row`].
pub(crate) fn heading() -> String {
    format!(
        "{:<32} {:>9} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}  CPU per call, µs (user + system)",
        "workload", "load", "calls/s", "p50 ms", "p90", "p99", "p99.9", "max", "failed"
    )
}

/// One measurement, in one line; more where calls failed.
pub(crate) fn row(measurement: &Measurement) -> String {
    let record = &measurement.record;
    let latency = &record.latency;
    let load = match measurement.load {
        Load::InFlight(calls) => format!("{calls}"),
        Load::PerSecond(calls) => format!("{calls}/s"),
    };
    let mut row = format!(
        "{:<32} {load:>9} {:>9.0} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8}  {}",
        measurement.workload,
        record.per_second(),
        latency.p50,
        latency.p90,
        latency.p99,
        latency.p99_9,
        latency.max,
        record.failed(),
        cpu(measurement),
    );
    for (name, n) in &record.failures {
        let _ = write!(row, "\n  {n} x {name}");
    }
    if let Some(example) = &record.example {
        let _ = write!(row, "\n  one of them: {example}");
    }
    row
}

/// Of the processes that took part. Empty where it was measured with other calls.
fn cpu(measurement: &Measurement) -> String {
    if measurement.cpu.is_empty() {
        return String::new();
    }
    let calls = measurement.record.calls.max(1) as f64;
    let mut text = String::new();
    for (name, cpu) in &measurement.cpu {
        let user = cpu.user_seconds * 1e6 / calls;
        let system = cpu.system_seconds * 1e6 / calls;
        if user + system >= 0.1 {
            let _ = write!(text, "{name} {user:.1}+{system:.1}  ");
        }
    }
    let cores: f64 = measurement.cpu.values().map(CpuUse::seconds).sum();
    let seconds = measurement.record.seconds;
    format!(
        "{text}= {:.2} cores, {:.2} elsewhere",
        cores / seconds,
        measurement.elsewhere / seconds
    )
}

/// The heading of [`h2load_row`].
pub(crate) fn h2load_heading() -> String {
    format!(
        "{:<12} {:>9} {:>9} {:>8} {:>8}  CPU per call, µs",
        "by h2load", "load", "calls/s", "mean ms", "max"
    )
}

/// One round, in one line.
pub(crate) fn h2load_row(round: &Round) -> String {
    format!(
        "{:<12} {:>9} {:>9.0} {:>8.2} {:>8.2}  {}",
        round.workload,
        round.in_flight,
        round.per_second,
        round.mean,
        round.max,
        each(&round.cpu)
    )
}

/// The heading of [`ceiling_row`].
pub(crate) fn ceiling_heading() -> String {
    format!(
        "{:<12} {:>9} {:>18} {:>8} {:>8} {:>8}  CPU, µs each",
        "ceiling", "at a time", "per second", "p50 ms", "p99", "max"
    )
}

/// One ceiling, in one line.
pub(crate) fn ceiling_row(ceiling: &Ceiling) -> String {
    let latency = &ceiling.latency;
    format!(
        "{:<12} {:>9} {:>9.0} {:<8} {:>8.2} {:>8.2} {:>8.2}  {}",
        ceiling.name,
        ceiling.batch,
        ceiling.per_second,
        ceiling.unit,
        latency.p50,
        latency.p99,
        latency.max,
        each(&ceiling.cpu)
    )
}

/// Microseconds of each process that took part.
fn each(cpu: &BTreeMap<String, f64>) -> String {
    let cpu = cpu
        .iter()
        .filter(|(_, cpu)| **cpu >= 0.1)
        .map(|(name, cpu)| format!("{name} {cpu:.1}"));
    cpu.collect::<Vec<_>>().join("  ")
}

/// A rebuild with what it is compared with.
pub(crate) fn rebuild(rebuild: &Rebuild) -> String {
    let Rebuild {
        reading,
        writing,
        quiet,
        course,
        meanwhile,
        ..
    } = rebuild;
    let (events, circles) = (rebuild.events, rebuild.circles);
    let mut text = format!("  rebuild of {events} events over {circles} circles\n");
    text += &[
        ceiling_heading(),
        ceiling_row(reading),
        ceiling_row(writing),
    ]
    .join("\n");
    let _ = write!(text, "\n{}\n{}", heading(), row(quiet));
    for one in &course.progress {
        let _ = write!(
            text,
            "\n  after {:.1} s: {}, {} of {} events, {:.0}/s, {:.1} s left",
            one.at,
            one.phase,
            one.events,
            one.events_total,
            one.events_per_second,
            one.seconds_left
        );
    }
    let _ = write!(
        text,
        "\n  {:.0} events/s while building, {:.0}/s in all; GetCircle meanwhile: p50 {:.2} ms, p99 {:.2}, max {:.2}, \
         {} calls, {} failed; the projector held {:.0} MiB; {} circles differed",
        rebuild.building_rate(),
        rebuild.whole_rate(),
        meanwhile.latency.p50,
        meanwhile.latency.p99,
        meanwhile.latency.max,
        meanwhile.calls,
        meanwhile.failed(),
        rebuild.peak,
        course.divergent,
    );
    text
}

/// The memory of a service under load.
pub(crate) fn endurance(endurance: &Endurance) -> String {
    let held: Vec<_> = endurance
        .resident
        .iter()
        .map(|mebibytes| format!("{mebibytes:.0}"))
        .collect();
    format!(
        "  memory of {} in MiB, every second: {}; at most {:.0}; growth {:+.1} %",
        endurance.process,
        held.join(" "),
        endurance.peak,
        endurance.growth() * 100.0
    )
}

/// Updates of a long circle and of short ones.
pub(crate) fn long_circle(long: &LongCircle) -> String {
    let line = |name: &str, record: &Record| {
        format!(
            "  update of a circle with {name} events: p50 {:.2} ms, mean {:.2}, p99 {:.2}; {} calls, {} failed",
            record.latency.p50,
            record.latency.mean,
            record.latency.p99,
            record.calls,
            record.failed()
        )
    };
    let mut text = line(&long.events.to_string(), &long.long) + "\n" + &line("5", &long.short);
    for (name, n) in &long.refused {
        let _ = write!(
            text,
            "\n  while the long one was written: {n} x {name}, tried again"
        );
    }
    text
}
