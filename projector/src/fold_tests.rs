use shared_domain::{Capacity, CircleName, EventId, Metadata};

use super::*;

const CIRCLE: &str = "01890000-0000-7000-8000-000000000001";
const OTHER: &str = "01890000-0000-7000-8000-000000000002";

fn id(text: &str) -> CircleId {
    CircleId::parse(text).unwrap()
}

fn name(text: &str) -> CircleName {
    CircleName::new(text).unwrap()
}

fn capacity(number: i64) -> Capacity {
    Capacity::new(number).unwrap()
}

fn created(text: &str) -> CircleEvent {
    CircleEvent::CircleCreated {
        name: name(text),
        capacity: capacity(20),
    }
}

fn renamed(text: &str) -> CircleEvent {
    CircleEvent::CircleUpdated {
        name: Some(name(text)),
        capacity: None,
    }
}

fn deleted() -> CircleEvent {
    CircleEvent::CircleDeleted { reason: None }
}

/// Events with the sequences from 11 on.
fn page(events: &[(&str, i64, CircleEvent)]) -> Vec<RecordedEvent> {
    let recorded =
        |(n, (circle, version, event)): (usize, &(&str, i64, CircleEvent))| RecordedEvent {
            sequence: Sequence::new(11 + n as u64),
            id: EventId::parse(CIRCLE).unwrap(),
            circle_id: id(circle),
            version: Version::new(*version).unwrap(),
            event: event.clone(),
            metadata: Metadata::default(),
            occurred_at: chrono::DateTime::UNIX_EPOCH,
        };
    events.iter().enumerate().map(recorded).collect()
}

fn shown(circle: &str, text: &str, version: i64) -> Document {
    Document {
        id: id(circle),
        name: name(text),
        capacity: capacity(20),
        version: Version::new(version).unwrap(),
    }
}

fn having(documents: &[Document]) -> HashMap<CircleId, Document> {
    documents
        .iter()
        .map(|document| (document.id, document.clone()))
        .collect()
}

#[test]
fn a_page_comes_to_one_change_per_circle() {
    let events = page(&[
        (CIRCLE, 1, created("football")),
        (OTHER, 5, renamed("judo")),
        (CIRCLE, 2, renamed("baseball")),
        (OTHER, 6, renamed("kendo")),
    ]);
    let folded = fold(&events, having(&[shown(OTHER, "karate", 4)]));
    assert!(folded.mismatches.is_empty());
    let mut changes = folded.changes;
    changes.sort_by_key(Change::id);
    let expected = [
        Change::Create {
            document: shown(CIRCLE, "baseball", 2),
            created: Sequence::new(11),
        },
        Change::Update {
            before: shown(OTHER, "karate", 4),
            after: shown(OTHER, "kendo", 6),
        },
    ];
    assert_eq!(changes, expected);
}

#[test]
fn a_circle_that_came_and_went_within_a_page_leaves_nothing() {
    let events = page(&[(CIRCLE, 1, created("football")), (CIRCLE, 2, deleted())]);
    assert_eq!(fold(&events, having(&[])), Folded::default());
}

#[test]
fn a_deletion_removes_the_document() {
    let events = page(&[(CIRCLE, 4, deleted())]);
    let before = shown(CIRCLE, "football", 3);
    let folded = fold(&events, having(std::slice::from_ref(&before)));
    assert_eq!(folded.changes, [Change::Delete { before }]);
}

#[test]
fn a_version_is_applied_onto_the_one_before_it_only() {
    for (before, first) in [
        // The document lags, is ahead, or is missing.
        (Some(shown(CIRCLE, "football", 2)), 4),
        (Some(shown(CIRCLE, "football", 4)), 4),
        (Some(shown(CIRCLE, "football", 9)), 4),
        (None, 4),
        // The document of a circle that is only now created.
        (Some(shown(CIRCLE, "football", 1)), 1),
    ] {
        let event = if first == 1 {
            created("x")
        } else {
            renamed("x")
        };
        let events = page(&[
            (CIRCLE, first, event),
            (OTHER, 1, created("judo")),
            (CIRCLE, first + 1, renamed("y")),
        ]);
        let folded = fold(
            &events,
            before.clone().into_iter().map(|d| (d.id, d)).collect(),
        );
        let until = Version::new(first + 1).unwrap();
        assert_eq!(
            folded.mismatches,
            [Mismatch {
                circle_id: id(CIRCLE),
                before,
                until
            }]
        );
        // Its neighbour is none the worse for it.
        let document = shown(OTHER, "judo", 1);
        assert_eq!(
            folded.changes,
            [Change::Create {
                document,
                created: Sequence::new(12)
            }]
        );
    }
}
