//! What a page of the log does to the read models.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use read_model::{Change, Document};
use shared_domain::{
    ActiveCircle, Circle, CircleEvent, CircleId, RecordedEvent, Sequence, Version, evolve,
};

/// A circle in the middle of being folded.
#[derive(Debug)]
struct Folding {
    before: Option<Document>,
    state: Circle,
    /// Where its creation stands, if that is in this page.
    created: Option<Sequence>,
}

/// A circle whose document is not the state right before its first event of the page. It has to be
/// folded anew from the log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mismatch {
    pub(crate) circle_id: CircleId,
    /// What the read model has.
    pub(crate) before: Option<Document>,
    /// Its last version in this page.
    pub(crate) until: Version,
}

/// What a page comes to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Folded {
    pub(crate) changes: Vec<Change>,
    pub(crate) mismatches: Vec<Mismatch>,
}

/// Folds a page onto the documents of its circles; those missing from the map are absent.
pub(crate) fn fold(events: &[RecordedEvent], documents: HashMap<CircleId, Document>) -> Folded {
    let mut documents = documents;
    let mut folding: HashMap<CircleId, Folding> = HashMap::new();
    let mut mismatches: HashMap<CircleId, Mismatch> = HashMap::new();
    for event in events {
        let id = event.circle_id;
        if let Some(mismatch) = mismatches.get_mut(&id) {
            mismatch.until = event.version;
            continue;
        }
        let circle = match folding.entry(id) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Folding::begin(documents.remove(&id))),
        };
        // A version is applied onto the one before it and onto nothing else.
        let next = (circle.state.next_version() == Some(event.version))
            .then(|| evolve(circle.state.clone(), &event.event).ok())
            .flatten();
        match next {
            Some(state) => {
                circle.state = state;
                if matches!(event.event, CircleEvent::CircleCreated { .. }) {
                    circle.created = Some(event.sequence);
                }
            }
            None => {
                let before = folding.remove(&id).and_then(|circle| circle.before);
                let mismatch = Mismatch {
                    circle_id: id,
                    before,
                    until: event.version,
                };
                mismatches.insert(id, mismatch);
            }
        }
    }
    let changes = folding.into_iter().filter_map(|(id, circle)| {
        change(circle.before, document(id, circle.state), circle.created)
    });
    Folded {
        changes: changes.collect(),
        mismatches: mismatches.into_values().collect(),
    }
}

impl Folding {
    fn begin(before: Option<Document>) -> Self {
        let state = match before.clone() {
            Some(Document {
                name,
                capacity,
                version,
                ..
            }) => Circle::Active(ActiveCircle {
                name,
                capacity,
                version,
            }),
            None => Circle::Absent,
        };
        Self {
            before,
            state,
            created: None,
        }
    }
}

/// What is shown of a circle.
pub(crate) fn document(id: CircleId, circle: Circle) -> Option<Document> {
    match circle {
        Circle::Active(ActiveCircle {
            name,
            capacity,
            version,
        }) => Some(Document {
            id,
            name,
            capacity,
            version,
        }),
        Circle::Absent | Circle::Deleted { .. } => None,
    }
}

/// The change from one document to another, if they differ.
pub(crate) fn change(
    before: Option<Document>,
    after: Option<Document>,
    created: Option<Sequence>,
) -> Option<Change> {
    match (before, after) {
        (None, None) => None,
        (None, Some(document)) => Some(Change::Create {
            document,
            created: created.unwrap_or(Sequence::ZERO),
        }),
        (Some(before), Some(after)) if before == after => None,
        (Some(before), Some(after)) => Some(Change::Update { before, after }),
        (Some(before), None) => Some(Change::Delete { before }),
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
