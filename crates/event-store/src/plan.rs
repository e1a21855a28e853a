//! What a batch comes to. Pure: all that it needs was read before.

use std::collections::HashMap;

use serde::Serialize;
use shared_domain::{
    CircleId, EventId, Misfit, RecordedEvent, Sequence, Version, decide, evolve, payload,
};

use crate::cache::CircleCache;
use crate::error::Damage;
use crate::load::StoredCircle;
use crate::parameter::json;
use crate::submission::{Attempt, Outcome, Verdict};

/// What the log knows about a submission.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The present version of its circle.
    pub(crate) version: Option<Version>,
    /// The event under its id.
    pub(crate) repeated: Option<RecordedEvent>,
}

/// What to insert and what to answer.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) rows: Vec<NewRow>,
    pub(crate) verdicts: Vec<Verdict>,
    /// The circles that are certain, as the batch leaves them.
    pub(crate) circles: HashMap<CircleId, StoredCircle>,
}

impl Plan {
    /// Decides a batch on top of a log that ends at `before`. `current` are circles that were
    /// just read and are certain to be as the log has them.
    pub(crate) fn new(
        before: Sequence,
        batch: &[Attempt],
        known: Vec<Known>,
        cache: &CircleCache,
        current: HashMap<CircleId, StoredCircle>,
    ) -> Result<Self, Damage> {
        let mut planner = Planner {
            last: before,
            rows: Vec::with_capacity(batch.len()),
            circles: current,
            events: HashMap::new(),
            cache,
        };
        let mut verdicts = Vec::with_capacity(batch.len());
        for (attempt, known) in batch.iter().zip(known) {
            verdicts.push(match planner.settle(attempt, known)? {
                Some(outcome) => Verdict::Settled(outcome),
                None => Verdict::Stale,
            });
        }
        Ok(Self {
            rows: planner.rows,
            verdicts,
            circles: planner.circles,
        })
    }
}

struct Planner<'a> {
    last: Sequence,
    rows: Vec<NewRow>,
    /// The circles that are certain: just read, confirmed, or as this batch has changed them so
    /// far.
    circles: HashMap<CircleId, StoredCircle>,
    /// The events of this batch, by id.
    events: HashMap<EventId, RecordedEvent>,
    cache: &'a CircleCache,
}

impl Planner<'_> {
    /// The outcome; none where nobody here knows the circle as it is.
    fn settle(&mut self, attempt: &Attempt, known: Known) -> Result<Option<Outcome>, Damage> {
        let submission = &attempt.submission;
        let earlier = self.events.get(&submission.event_id).cloned();
        if let Some(repeated) = known.repeated.or(earlier) {
            return Ok(Some(Outcome::Repeated(Box::new(repeated))));
        }
        let Some(present) = self.present(attempt, known.version) else {
            return Ok(None);
        };
        self.circles
            .entry(submission.circle_id)
            .or_insert_with(|| present.clone());
        let event = match decide(&present.circle, &submission.command) {
            Err(refusal) => return Ok(Some(Outcome::Refused(refusal))),
            Ok(None) => return Ok(Some(Outcome::Unchanged(present))),
            Ok(Some(event)) => event,
        };
        let sequence = self.last.next();
        let misfit = |cause| Damage::Misfit { sequence, cause };
        let version = present
            .circle
            .next_version()
            .ok_or(misfit(Misfit::VersionsUsedUp))?;
        let circle = evolve(present.circle, &event).map_err(misfit)?;
        let event = RecordedEvent {
            sequence,
            id: submission.event_id,
            circle_id: submission.circle_id,
            version,
            event,
            metadata: submission.metadata.clone(),
            occurred_at: submission.occurred_at,
        };
        self.last = sequence;
        self.rows.push(NewRow::new(&event));
        self.events.insert(event.id, event);
        let after = StoredCircle { circle, sequence };
        self.circles.insert(submission.circle_id, after.clone());
        Ok(Some(Outcome::Appended(after)))
    }

    /// The circle as it is now: as this batch made it, or as somebody knew it if the log confirms
    /// the version. Two states of one version are the same, as the log never changes.
    fn present(&self, attempt: &Attempt, version: Option<Version>) -> Option<StoredCircle> {
        let id = attempt.submission.circle_id;
        if let Some(circle) = self.circles.get(&id) {
            return Some(circle.clone());
        }
        if attempt.basis.circle.version() == version {
            return Some(attempt.basis.clone());
        }
        let cached = self.cache.get(id);
        cached.filter(|cached| cached.circle.version() == version)
    }
}

/// A row to insert, as the statement reads it from its parameter.
#[derive(Debug, Serialize)]
pub(crate) struct NewRow {
    sequence: u64,
    pub(crate) id: EventId,
    circle_id: CircleId,
    version: i32,
    event_type: &'static str,
    /// JSON inside a JSON string: MariaDB and MySQL extract objects in different ways.
    payload: String,
    metadata: String,
    occurred_at: String,
}

impl NewRow {
    fn new(event: &RecordedEvent) -> Self {
        Self {
            sequence: event.sequence.get(),
            id: event.id,
            circle_id: event.circle_id,
            version: event.version.get(),
            event_type: event.event.event_type(),
            payload: payload::encode(&event.event),
            metadata: json(&event.metadata),
            occurred_at: event
                .occurred_at
                .format("%Y-%m-%d %H:%M:%S%.6f")
                .to_string(),
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
