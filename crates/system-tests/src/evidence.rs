//! How far the log can have been at a moment: what answers prove, and what requests allow.

use std::collections::HashMap;

use crate::history::{History, Moment};
use crate::log::Log;

/// What is proved: who is told of a sequence knows that the log, or the read model, has come so
/// far by then.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// Ascending in both.
    steps: Vec<(Moment, u64)>,
}

impl Proof {
    /// Of these moments and sequences, in any order.
    #[must_use]
    pub fn of(facts: impl IntoIterator<Item = (Moment, u64)>) -> Self {
        let mut steps: Vec<(Moment, u64)> = facts.into_iter().collect();
        steps.sort_unstable();
        let mut greatest = 0;
        for (_, sequence) in &mut steps {
            greatest = greatest.max(*sequence);
            *sequence = greatest;
        }
        Self { steps }
    }

    /// By the answers to commands whose events are in the log.
    #[must_use]
    pub fn of_commands(history: &History, log: &Log) -> Self {
        Self::of(history.requests.iter().flat_map(|request| {
            let event = log.of_request(&request.id);
            let answers = request.answers();
            answers.filter_map(move |(attempt, _)| Some((attempt.returned, event?.sequence)))
        }))
    }

    /// By what queries and watches showed: so far was the read model.
    #[must_use]
    pub fn of_queries(history: &History) -> Self {
        let reads = history.reads.iter();
        let reads = reads.filter_map(|read| Some((read.returned, read.sequence?)));
        let sessions = history.watches.iter().flat_map(|watch| &watch.sessions);
        let told = sessions.flat_map(|session| &session.told);
        Self::of(reads.chain(told.map(|(moment, told)| (*moment, told.sequence()))))
    }

    /// At least so far it was before that moment.
    #[must_use]
    pub fn before(&self, moment: Moment) -> u64 {
        let count = self.steps.partition_point(|(told, _)| *told < moment);
        count.checked_sub(1).map_or(0, |last| self.steps[last].1)
    }
}

/// What is possible: no event is in the log before its request was sent, nor is any after it.
#[derive(Clone, Debug, Default)]
pub struct Possible {
    /// Ascending in both.
    steps: Vec<(Moment, u64)>,
}

impl Possible {
    /// By the requests of these events.
    #[must_use]
    pub fn of(history: &History, log: &Log) -> Self {
        let requests = history.requests.iter();
        let begun: HashMap<&str, Moment> = requests
            .map(|request| (request.id.as_str(), request.begun()))
            .collect();
        let mut latest = 0;
        let step = |event: &crate::log::Event| {
            latest = latest.max(begun.get(event.id.as_str()).copied().unwrap_or_default());
            (latest, event.sequence)
        };
        Self {
            steps: log.events.iter().map(step).collect(),
        }
    }

    /// At most so far it was before that moment.
    #[must_use]
    pub fn before(&self, moment: Moment) -> u64 {
        let count = self.steps.partition_point(|(begun, _)| *begun < moment);
        count.checked_sub(1).map_or(0, |last| self.steps[last].1)
    }
}
