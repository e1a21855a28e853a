//! What `load-test bench` found, as it is written to a file.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::ceilings::Ceiling;
use crate::endurance::Endurance;
use crate::h2load::Round;
use crate::long_circle::LongCircle;
use crate::measure::{Load, Measurement};
use crate::overload::Overload;
use crate::rebuild::Rebuild;

/// Everything measured with one database. Parts that were left out are empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    /// `mysql` or `mariadb`.
    pub(crate) engine: String,
    /// What the server calls itself.
    pub(crate) version: String,
    pub(crate) machine: Machine,
    pub(crate) ceilings: Vec<Ceiling>,
    /// The command service alone with the database, each load several times.
    pub(crate) commands: Vec<Measurement>,
    pub(crate) endurance: Option<Endurance>,
    #[serde(default)]
    pub(crate) overloads: Vec<Overload>,
    pub(crate) long_circle: Option<LongCircle>,
    /// The three services together.
    pub(crate) system: Vec<Measurement>,
    /// How many circles there were for the queries.
    pub(crate) circles: usize,
    /// The empty call and GetCircle by h2load.
    pub(crate) h2load: Vec<Round>,
    /// How often the query service asks Redis for a hundred circles at once.
    pub(crate) round_trips: Option<f64>,
    pub(crate) rebuilds: Vec<Rebuild>,
}

/// Where it was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = text
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let model = model.and_then(|line| line.split_once(": "));
        Self {
            processor: model
                .map_or("an unknown processor", |(_, name)| name)
                .to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// The measurements of one workload under one load.
pub(crate) fn rounds<'a>(
    measurements: &'a [Measurement],
    workload: &str,
    load: impl Fn(Load) -> bool,
) -> Vec<&'a Measurement> {
    let same =
        |measurement: &&Measurement| measurement.workload == workload && load(measurement.load);
    measurements.iter().filter(same).collect()
}

/// The middle one; none of none.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        return Some(values[middle]);
    }
    let below = values.get(middle.checked_sub(1)?)?;
    Some(f64::midpoint(*below, values[middle]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![4.0]), Some(4.0));
        assert_eq!(median(vec![9.0, 1.0]), Some(5.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
    }
}
