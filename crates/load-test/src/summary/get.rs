//! GetCircle beside an empty call.

use super::{Report, cpu, each, of, rate_of, spread};
use crate::h2load::Round;
use crate::results::median;

impl Report<'_> {
    pub(super) fn get(&mut self) {
        let rounds = &self.results.h2load;
        let (get, echo) = (of_workload(rounds, "get"), of_workload(rounds, "echo"));
        if let (Some(rate), Some(ceiling)) = (median_rate(&get), median_rate(&echo)) {
            let share = rate / ceiling * 100.0;
            self.line(
                "GetCircle against an empty call of tonic, 64 in flight, by h2load",
                "at least 75 %",
                format!("{share:.0} %: {rate:.0}/s against {ceiling:.0}/s"),
                share >= 75.0,
            );
            for (what, rounds) in [
                ("GetCircle by h2load", &get),
                ("an empty call of tonic by h2load", &echo),
            ] {
                self.note(what, rates(rounds));
                self.note("CPU per call", each(rounds, |round| &round.cpu));
            }
        }
        let get = of(&self.results.system, "get", 64);
        let echo = of(&self.results.system, "echo", 64);
        if let (Some(rate), Some(ceiling)) = (rate_of(&get), rate_of(&echo)) {
            let share = rate / ceiling * 100.0;
            self.note(
                "the same by our own generator, random circles",
                format!("{share:.0} %: {rate:.0}/s against {ceiling:.0}/s"),
            );
            self.note("GetCircle, 64 in flight", spread(&get));
            self.note("CPU per call", cpu(&get));
            self.note("an empty call of tonic, 64 in flight", spread(&echo));
            self.note("CPU per call", cpu(&echo));
        }
    }
}

fn of_workload<'a>(rounds: &'a [Round], workload: &str) -> Vec<&'a Round> {
    let rounds = rounds.iter();
    rounds.filter(|one| one.workload == workload).collect()
}

fn median_rate(rounds: &[&Round]) -> Option<f64> {
    median(rounds.iter().map(|one| one.per_second).collect())
}

fn rates(rounds: &[&Round]) -> String {
    let rates = || rounds.iter().map(|one| one.per_second);
    let (low, high) = (
        rates().fold(f64::MAX, f64::min),
        rates().fold(0.0, f64::max),
    );
    let rate = median_rate(rounds).unwrap_or_default();
    let mean = median(rounds.iter().map(|one| one.mean).collect()).unwrap_or_default();
    format!(
        "{rate:.0}/s ({low:.0} to {high:.0} in {} rounds); mean {mean:.2} ms",
        rounds.len()
    )
}
