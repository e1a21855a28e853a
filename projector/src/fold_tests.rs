use shared_domain::{
    Capacity, CircleName, DeletionReason, EventId, Metadata, PayloadError, Version,
};

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

fn created(text: &str) -> Option<CircleEvent> {
    Some(CircleEvent::CircleCreated {
        name: name(text),
        capacity: capacity(20),
    })
}

fn renamed(text: &str) -> Option<CircleEvent> {
    Some(CircleEvent::CircleUpdated {
        name: Some(name(text)),
        capacity: None,
    })
}

fn deleted() -> Option<CircleEvent> {
    Some(CircleEvent::CircleDeleted {
        reason: DeletionReason::new("too few").ok(),
    })
}

fn seconds(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// Events with the sequences from 11 on, one a second; none for one that can't be read.
fn page(events: &[(&str, i64, Option<CircleEvent>)]) -> Vec<LogEntry> {
    let entry = |(n, (circle, version, event)): (usize, &(&str, i64, Option<CircleEvent>))| {
        let unknown = || PayloadError::UnknownEventType {
            event_type: "CirclePainted".to_owned(),
        };
        LogEntry {
            sequence: Sequence::new(11 + n as u64),
            id: EventId::parse(CIRCLE).unwrap(),
            circle_id: id(circle),
            version: Version::new(*version).unwrap(),
            event: event.clone().ok_or_else(unknown),
            metadata: Metadata {
                actor: Some("anna".to_owned()),
                ..Metadata::default()
            },
            occurred_at: seconds(11 + n as i64),
        }
    };
    events.iter().enumerate().map(entry).collect()
}

fn shown(circle: &str, text: &str, version: i64) -> Document {
    Document {
        id: id(circle),
        name: name(text),
        capacity: capacity(20),
        version: Version::new(version).unwrap(),
    }
}

fn known(circle: &str, text: &str, version: i64) -> (CircleId, Known) {
    let Document {
        id,
        name,
        capacity,
        version,
    } = shown(circle, text, version);
    let circle = Circle::Active(ActiveCircle {
        name,
        capacity,
        version,
    });
    let known = Known {
        circle,
        effective_at: Some(seconds(5)),
    };
    (id, known)
}

fn fold_onto(page: &[LogEntry], circles: impl IntoIterator<Item = (CircleId, Known)>) -> Folded {
    let circles = circles.into_iter().collect();
    let mut folded = fold(page, &circles, &BTreeMap::new(), &BTreeSet::new());
    folded.changes.sort_by_key(|change| change.id);
    folded
}

#[test]
fn a_page_comes_to_one_change_per_circle_and_one_entry_per_event() {
    let events = page(&[
        (CIRCLE, 1, created("football")),
        (OTHER, 5, renamed("judo")),
        (CIRCLE, 2, renamed("baseball")),
        (OTHER, 6, renamed("kendo")),
    ]);
    let folded = fold_onto(&events, [known(OTHER, "karate", 4)]);
    assert!(folded.mismatches.is_empty() && folded.parked.is_empty());

    let [circle, other] = folded.changes.as_slice() else {
        panic!("{:?}", folded.changes);
    };
    assert_eq!(circle.base, None);
    assert_eq!(circle.before, None);
    assert_eq!(circle.after, Some(shown(CIRCLE, "baseball", 2)));
    assert_eq!(circle.created, Some(Sequence::new(11)));
    assert_eq!(circle.history.len(), 2);
    assert_eq!(other.base, Version::new(4).ok());
    assert_eq!(other.before, Some(shown(OTHER, "karate", 4)));
    assert_eq!(other.after, Some(shown(OTHER, "kendo", 6)));
    assert_eq!(other.created, None);
    assert_eq!(other.history.len(), 2);

    let places: Vec<u64> = folded
        .entries
        .iter()
        .map(|entry| entry.position.sequence.get())
        .collect();
    assert_eq!(places, [11, 12, 13, 14]);
    assert_eq!(folded.entries[1].document, Some(shown(OTHER, "judo", 5)));
}

#[test]
fn history_tells_what_changed_who_and_when() {
    let events = page(&[(CIRCLE, 4, renamed("baseball")), (CIRCLE, 5, deleted())]);
    let folded = fold_onto(&events, [known(CIRCLE, "football", 3)]);
    let [renaming, deletion] = folded.changes[0].history.as_slice() else {
        panic!("{:?}", folded.changes);
    };
    assert_eq!(renaming.name, Some(name("baseball")));
    assert_eq!(renaming.capacity, Some(capacity(20)));
    assert_eq!(renaming.before.name, Some(name("football")));
    assert_eq!(renaming.before.capacity, None);
    assert_eq!(renaming.actor.as_deref(), Some("anna"));
    assert_eq!(
        (renaming.occurred_at, renaming.effective_at),
        (seconds(11), None)
    );
    assert_eq!(deletion.name, None);
    assert_eq!(deletion.before.name, Some(name("baseball")));
    assert_eq!(deletion.before.capacity, Some(capacity(20)));
    assert_eq!(
        deletion.reason.as_ref().map(ToString::to_string).as_deref(),
        Some("too few")
    );
    assert_eq!(folded.changes[0].after, None);
}

#[test]
fn times_never_fall_from_version_to_version() {
    let events = page(&[
        (CIRCLE, 4, renamed("baseball")),
        (CIRCLE, 5, renamed("golf")),
    ]);
    let (id, mut before) = known(CIRCLE, "football", 3);
    before.effective_at = Some(seconds(100));
    let folded = fold_onto(&events, [(id, before)]);
    for entry in &folded.changes[0].history {
        assert_eq!(entry.effective_at, Some(seconds(100)));
        assert!(entry.occurred_at < seconds(100));
    }
}

#[test]
fn a_circle_that_came_and_went_within_a_page_leaves_its_history() {
    let events = page(&[(CIRCLE, 1, created("football")), (CIRCLE, 2, deleted())]);
    let folded = fold_onto(&events, []);
    let [change] = folded.changes.as_slice() else {
        panic!("{:?}", folded.changes);
    };
    assert_eq!((&change.before, &change.after), (&None, &None));
    assert_eq!(change.history.len(), 2);
}

#[test]
fn a_version_is_applied_onto_the_one_before_it_only() {
    for (before, first) in [
        // What is known lags, is ahead, or is missing.
        (Some(2), 4),
        (Some(4), 4),
        (Some(9), 4),
        (None, 4),
        // A circle that is only now created.
        (Some(1), 1),
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
        let before = before.map(|version| known(CIRCLE, "football", version));
        let folded = fold_onto(&events, before);
        assert_eq!(folded.mismatches, BTreeSet::from([id(CIRCLE)]));
        assert!(folded.parked.is_empty());
        // Its neighbour is none the worse for it.
        assert_eq!(folded.changes.len(), 1);
        assert_eq!(folded.changes[0].after, Some(shown(OTHER, "judo", 1)));
    }
}

#[test]
fn an_event_that_does_not_fit_what_is_certain_parks_its_circle() {
    let events = page(&[(CIRCLE, 5, renamed("x")), (CIRCLE, 6, renamed("y"))]);
    let circles = HashMap::from([known(CIRCLE, "football", 3)]);
    let certain = BTreeSet::from([id(CIRCLE)]);
    let folded = fold(&events, &circles, &BTreeMap::new(), &certain);
    assert!(folded.changes.is_empty() && folded.mismatches.is_empty());
    let [parked] = folded.parked.as_slice() else {
        panic!("{:?}", folded.parked);
    };
    assert_eq!(parked.event.sequence, Sequence::new(11));
    assert_eq!(parked.event.reason, "version 5 follows version 3");
}

#[test]
fn an_event_that_cannot_be_read_parks_its_circle_and_keeps_what_came_before() {
    let events = page(&[
        (CIRCLE, 4, renamed("baseball")),
        (CIRCLE, 5, None),
        (OTHER, 1, created("judo")),
        (CIRCLE, 6, renamed("golf")),
    ]);
    let folded = fold_onto(&events, [known(CIRCLE, "football", 3)]);
    let [parked] = folded.parked.as_slice() else {
        panic!("{:?}", folded.parked);
    };
    assert_eq!(parked.circle_id, id(CIRCLE));
    assert_eq!(parked.event.version, Version::new(5).unwrap());
    assert!(parked.event.reason.contains("CirclePainted"));
    assert_eq!(folded.changes[0].after, Some(shown(CIRCLE, "baseball", 4)));
    assert_eq!(folded.changes[1].after, Some(shown(OTHER, "judo", 1)));
    assert_eq!(folded.entries.len(), 2);
}

#[test]
fn a_parked_circle_waits() {
    let events = page(&[(CIRCLE, 4, renamed("x")), (OTHER, 1, created("judo"))]);
    let circles = HashMap::from([known(CIRCLE, "football", 3)]);
    let event = ParkedEvent {
        sequence: Sequence::new(3),
        version: Version::new(3).unwrap(),
        reason: String::new(),
    };
    let parked = BTreeMap::from([(id(CIRCLE), event)]);
    let folded = fold(&events, &circles, &parked, &BTreeSet::new());
    assert_eq!(folded.changes.len(), 1);
    assert_eq!(folded.entries.len(), 1);
    assert!(folded.parked.is_empty() && folded.mismatches.is_empty());
}

#[test]
fn folding_anew_comes_to_the_same_as_page_by_page() {
    let events = page(&[
        (CIRCLE, 1, created("football")),
        (CIRCLE, 2, renamed("baseball")),
        (CIRCLE, 3, deleted()),
    ]);
    let (repair, known) = refold(id(CIRCLE), &events);
    let folded = fold_onto(&events, []);
    assert_eq!(repair.history, folded.changes[0].history);
    assert_eq!(repair.document, folded.changes[0].after);
    assert_eq!(repair.version, Version::new(3).ok());
    assert_eq!(repair.created, Sequence::new(11));
    assert_eq!(repair.parked, None);
    assert_eq!(folded.known, [(id(CIRCLE), known.clone())]);
    // And to what its own history tells.
    assert_eq!(Known::from_history(repair.history.last().cloned()), known);

    let (repair, known) = refold(id(OTHER), &[]);
    assert_eq!((repair.version, repair.document), (None, None));
    assert_eq!(known, Known::default());
}

#[test]
fn a_living_circle_is_known_from_its_history() {
    let events = page(&[
        (CIRCLE, 1, created("football")),
        (CIRCLE, 2, renamed("baseball")),
    ]);
    let (repair, known) = refold(id(CIRCLE), &events);
    assert_eq!(known.circle.version(), Version::new(2).ok());
    let latest = repair.history.last().cloned();
    assert_eq!(Known::from_history(latest), known);
}

#[test]
fn folding_anew_stops_at_an_event_that_does_not_fit() {
    for (last, event) in [(3, None), (4, renamed("x")), (3, created("x"))] {
        let events = page(&[
            (CIRCLE, 1, created("football")),
            (CIRCLE, 2, renamed("baseball")),
            (CIRCLE, last, event),
            (CIRCLE, last + 1, renamed("golf")),
        ]);
        let (repair, _) = refold(id(CIRCLE), &events);
        assert_eq!(repair.document, Some(shown(CIRCLE, "baseball", 2)));
        assert_eq!(repair.history.len(), 2);
        let parked = repair.parked.unwrap();
        assert_eq!(parked.sequence, Sequence::new(13));
    }
}
