//! Measurements for people.

use std::fmt::Write as _;

use crate::measure::{Load, Measurement};

/// The heading of [`row`].
pub(crate) fn heading() -> String {
    format!(
        "{:<12} {:>9} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}  CPU per call, µs (user + system)",
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
        "{:<12} {load:>9} {:>9.0} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8}  {}",
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

fn cpu(measurement: &Measurement) -> String {
    let calls = measurement.record.calls.max(1) as f64;
    let each = measurement.cpu.iter().map(|(name, cpu)| {
        let (user, system) = (
            cpu.user_seconds * 1e6 / calls,
            cpu.system_seconds * 1e6 / calls,
        );
        format!("{name} {user:.1}+{system:.1}")
    });
    let each: Vec<_> = each.collect();
    let cores: f64 = measurement.cpu.values().map(|cpu| cpu.seconds()).sum();
    format!(
        "{}; {:.2} cores",
        each.join("  "),
        cores / measurement.record.seconds
    )
}
