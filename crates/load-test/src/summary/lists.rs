//! Lists of every kind: of each group the slowest is shown.

use std::collections::BTreeSet;

use super::{Report, cpu, median_of, of, rate_of};
use crate::lists;

impl Report<'_> {
    pub(super) fn lists(&mut self) {
        let circles = self.results.circles;
        for (group, what) in [
            (lists::FIRST, "the first page in any order"),
            (lists::DEEP, "pages anywhere, in any order"),
            (lists::FILTERED, "any filter, in any order"),
        ] {
            let names: BTreeSet<&str> = self
                .results
                .system
                .iter()
                .map(|one| one.workload.as_str())
                .filter(|name| name.starts_with(group))
                .collect();
            let p99 = |name: &str| {
                let rounds = of(&self.results.system, name, 16);
                median_of(&rounds, |one| one.record.latency.p99).unwrap_or_default()
            };
            let slowest = names.iter().max_by(|a, b| p99(a).total_cmp(&p99(b)));
            let Some(slowest) = slowest else {
                continue;
            };
            let (p99, kinds) = (p99(slowest), names.len());
            let rounds = of(&self.results.system, slowest, 16);
            let rate = rate_of(&rounds).unwrap_or_default();
            let kind = slowest.trim_start_matches(group).trim_start();
            self.line(
                format!("ListCircles, 50 of {circles}, {what}, 16 in flight, p99"),
                "under 5 ms",
                format!("{p99:.2} ms at {rate:.0}/s: {kind}, the slowest of {kinds}"),
                p99 < 5.0,
            );
            self.note(format!("CPU per call, {slowest}"), cpu(&rounds));
        }
        if let Some(round_trips) = self.results.round_trips {
            self.line(
                "BatchGetCircles of 100: ways to Redis and back",
                "1",
                format!("{round_trips:.2}"),
                // What else Redis reads meanwhile can't be told apart.
                round_trips < 1.5,
            );
        }
    }
}
