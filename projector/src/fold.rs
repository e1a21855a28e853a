//! What events make of the read models, as pure functions.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use event_store::LogEntry;
use read_model::{
    Before, Change, ChangeEntry, ChangePosition, Document, EventKind, HistoryEntry, Parked,
    ParkedEvent, Repair,
};
use shared_domain::{ActiveCircle, Circle, CircleEvent, CircleId, Sequence, evolve};

/// A circle as far as the next event needs to know it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Known {
    pub(crate) circle: Circle,
    /// The latest time up to its last event.
    pub(crate) effective_at: Option<DateTime<Utc>>,
}

impl Known {
    /// What the last entry of a circle's history tells; none for no history.
    pub(crate) fn from_history(latest: Option<HistoryEntry>) -> Self {
        let Some(entry) = latest else {
            return Self::default();
        };
        let effective_at = Some(entry.effective_at());
        let version = entry.version;
        let circle = match (entry.name, entry.capacity) {
            (Some(name), Some(capacity)) => Circle::Active(ActiveCircle {
                name,
                capacity,
                version,
            }),
            _ => Circle::Deleted { version },
        };
        Self {
            circle,
            effective_at,
        }
    }

    /// The circle after an event, and what its history says of that.
    fn advance(&self, entry: &LogEntry) -> Result<(Self, HistoryEntry), Unfit> {
        let event = entry
            .event
            .as_ref()
            .map_err(|error| Unfit::Unreadable(error.to_string()))?;
        if self.circle.next_version() != Some(entry.version) {
            return Err(Unfit::OtherVersion);
        }
        let after = evolve(self.circle.clone(), event)
            .map_err(|misfit| Unfit::Misfit(misfit.to_string()))?;
        let effective_at = self
            .effective_at
            .map_or(entry.occurred_at, |latest| latest.max(entry.occurred_at));
        let (name, capacity) = match &after {
            Circle::Active(circle) => (Some(circle.name.clone()), Some(circle.capacity)),
            Circle::Absent | Circle::Deleted { .. } => (None, None),
        };
        let before = match &self.circle {
            Circle::Active(circle) => Before {
                name: Some(circle.name.clone()).filter(|before| name.as_ref() != Some(before)),
                capacity: Some(circle.capacity).filter(|before| capacity != Some(*before)),
            },
            Circle::Absent | Circle::Deleted { .. } => Before::default(),
        };
        let (kind, reason) = match event {
            CircleEvent::CircleCreated { .. } => (EventKind::CircleCreated, None),
            CircleEvent::CircleUpdated { .. } => (EventKind::CircleUpdated, None),
            CircleEvent::CircleDeleted { reason } => (EventKind::CircleDeleted, reason.clone()),
        };
        let history = HistoryEntry {
            version: entry.version,
            kind,
            name,
            capacity,
            before,
            occurred_at: entry.occurred_at,
            effective_at: Some(effective_at).filter(|at| *at != entry.occurred_at),
            actor: entry.metadata.actor.clone(),
            sequence: entry.sequence,
            reason,
        };
        let known = Self {
            circle: after,
            effective_at: Some(effective_at),
        };
        Ok((known, history))
    }
}

/// Why an event can't follow what is known of its circle.
#[derive(Clone, Debug, PartialEq)]
enum Unfit {
    /// The event can't be read.
    Unreadable(String),
    /// It is not of the next version.
    OtherVersion,
    /// The rules don't allow it.
    Misfit(String),
}

impl Unfit {
    fn park(self, known: &Known, entry: &LogEntry) -> ParkedEvent {
        let reason = match self {
            Self::Unreadable(error) => error,
            Self::Misfit(misfit) => misfit,
            Self::OtherVersion => match known.circle.version() {
                Some(version) => format!("version {} follows version {version}", entry.version),
                None => format!("the first event has version {}", entry.version),
            },
        };
        ParkedEvent {
            sequence: entry.sequence,
            version: entry.version,
            reason,
        }
    }
}

/// What is shown of a circle.
fn document(id: CircleId, circle: &Circle) -> Option<Document> {
    match circle {
        Circle::Active(ActiveCircle {
            name,
            capacity,
            version,
        }) => Some(Document {
            id,
            name: name.clone(),
            capacity: *capacity,
            version: *version,
        }),
        Circle::Absent | Circle::Deleted { .. } => None,
    }
}

/// What a page comes to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Folded {
    pub(crate) changes: Vec<Change>,
    pub(crate) entries: Vec<ChangeEntry>,
    pub(crate) parked: Vec<Parked>,
    /// The circles as they are after the page.
    pub(crate) known: Vec<(CircleId, Known)>,
    /// Circles that are not what their first event in the page takes them to be. They have to
    /// be folded anew from the log, and then the page again.
    pub(crate) mismatches: BTreeSet<CircleId>,
}

/// Folds a page onto its circles as they are `known`; one that is missing there was never
/// created. Those in `parked` wait. Those in `certain` were just folded from the log: an event
/// that does not fit them is at fault itself.
pub(crate) fn fold<'a>(
    page: impl IntoIterator<Item = &'a LogEntry>,
    known: &HashMap<CircleId, Known>,
    parked: &BTreeMap<CircleId, ParkedEvent>,
    certain: &BTreeSet<CircleId>,
) -> Folded {
    let nothing = Known::default();
    let mut circles: HashMap<CircleId, Folding> = HashMap::new();
    let mut folded = Folded::default();
    for entry in page {
        let id = entry.circle_id;
        if parked.contains_key(&id) || folded.mismatches.contains(&id) {
            continue;
        }
        let before = known.get(&id).unwrap_or(&nothing);
        let folding = circles.entry(id).or_insert_with(|| Folding::begin(before));
        if folding.is_parked {
            continue;
        }
        match folding.now.advance(entry) {
            Ok((now, history)) => {
                if history.kind == EventKind::CircleCreated {
                    folding.created = Some(entry.sequence);
                }
                folded.entries.push(ChangeEntry {
                    position: ChangePosition::of(entry.sequence),
                    kind: Some(history.kind),
                    circle_id: id,
                    version: Some(entry.version),
                    event_id: Some(entry.id),
                    document: document(id, &now.circle),
                });
                folding.now = now;
                folding.history.push(history);
            }
            // What came before it in the page proves that the circle is known well.
            Err(Unfit::OtherVersion | Unfit::Misfit(_))
                if folding.history.is_empty() && !certain.contains(&id) =>
            {
                folded.mismatches.insert(id);
            }
            Err(unfit) => {
                folding.is_parked = true;
                folded.parked.push(Parked {
                    circle_id: id,
                    event: unfit.park(&folding.now, entry),
                });
            }
        }
    }
    for (id, folding) in circles {
        if folding.history.is_empty() {
            continue;
        }
        let base = known.get(&id).unwrap_or(&nothing);
        folded.changes.push(Change {
            id,
            base: base.circle.version(),
            before: document(id, &base.circle),
            after: document(id, &folding.now.circle),
            created: folding.created,
            history: folding.history,
        });
        folded.known.push((id, folding.now));
    }
    folded
}

/// A circle in the middle of being folded.
#[derive(Debug)]
struct Folding {
    now: Known,
    created: Option<Sequence>,
    history: Vec<HistoryEntry>,
    is_parked: bool,
}

impl Folding {
    fn begin(before: &Known) -> Self {
        Self {
            now: before.clone(),
            created: None,
            history: Vec::new(),
            is_parked: false,
        }
    }
}

/// The whole history of a circle being folded, up to an event that can't be read or applied.
#[derive(Debug)]
pub(crate) struct Refold {
    repair: Repair,
    known: Known,
}

impl Refold {
    pub(crate) fn begin(id: CircleId) -> Self {
        Self {
            repair: Repair {
                id,
                version: None,
                document: None,
                created: Sequence::ZERO,
                history: Vec::new(),
                parked: None,
            },
            known: Known::default(),
        }
    }

    /// What is to be shown, and what the next event needs to know.
    pub(crate) fn end(self) -> (Repair, Known) {
        let Self { mut repair, known } = self;
        repair.version = known.circle.version();
        repair.document = document(repair.id, &known.circle);
        (repair, known)
    }

    /// Folds the next event. Answers with its entry in the history, if it gets one.
    pub(crate) fn add(&mut self, event: &LogEntry) -> Option<&HistoryEntry> {
        let Self { repair, known } = self;
        if repair.parked.is_some() {
            return None;
        }
        match known.advance(event) {
            Ok((now, entry)) => {
                if entry.kind == EventKind::CircleCreated {
                    repair.created = event.sequence;
                }
                *known = now;
                repair.history.push(entry);
                repair.history.last()
            }
            Err(unfit) => {
                repair.parked = Some(unfit.park(known, event));
                None
            }
        }
    }
}

/// Folds the whole history of a circle, up to an event that can't be read or applied.
pub(crate) fn refold(id: CircleId, events: &[LogEntry]) -> (Repair, Known) {
    let mut refold = Refold::begin(id);
    for event in events {
        refold.add(event);
    }
    refold.end()
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
