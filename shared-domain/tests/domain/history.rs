//! What events make of a circle, and which histories cannot be true.

use shared_domain::{ActiveCircle, Circle, Misfit, ReplayError, Version, evolve, replay};

use crate::examples::{
    capacity, created, deleted, folded, name, numbered, renamed, resized, version,
};

fn active(text: &str, members: i64, number: i64) -> Circle {
    Circle::Active(ActiveCircle {
        name: name(text),
        capacity: capacity(members),
        version: version(number),
    })
}

#[test]
fn before_its_first_event_a_circle_is_absent() {
    assert_eq!(Circle::default(), Circle::Absent);
    assert_eq!(folded(&[]), Circle::Absent);
    assert_eq!(Circle::Absent.version(), None);
    assert_eq!(Circle::Absent.next_version(), Some(Version::FIRST));
}

#[test]
fn every_event_leaves_its_mark_and_one_version() {
    let events = [
        created("football", 20),
        resized(30),
        renamed("baseball"),
        deleted(),
    ];
    let states = [
        Circle::Absent,
        active("football", 20, 1),
        active("football", 30, 2),
        active("baseball", 30, 3),
        Circle::Deleted {
            version: version(4),
        },
    ];
    for (length, state) in states.into_iter().enumerate() {
        assert_eq!(folded(&events[..length]), state);
    }
}

#[test]
fn a_history_goes_on_from_a_folded_state() {
    let events = [created("football", 20), resized(30), renamed("baseball")];
    let state = folded(&events[..2]);
    let rest = [(version(3), &events[2])];
    assert_eq!(state.replay_onto(rest), Ok(active("baseball", 30, 3)));
}

#[test]
fn nothing_comes_before_the_creation() {
    for event in [resized(30), deleted()] {
        let event_type = event.event_type();
        assert_eq!(
            evolve(Circle::Absent, &event),
            Err(Misfit::BeforeCreation { event_type }),
        );
    }
}

#[test]
fn nothing_is_created_twice() {
    let again = created("football", 20);
    assert_eq!(
        evolve(active("football", 20, 1), &again),
        Err(Misfit::CreatedTwice),
    );
}

#[test]
fn nothing_comes_after_the_deletion() {
    for event in [created("football", 20), resized(30), deleted()] {
        let gone = Circle::Deleted {
            version: version(2),
        };
        let event_type = event.event_type();
        assert_eq!(
            evolve(gone, &event),
            Err(Misfit::AfterDeletion { event_type }),
        );
    }
}

#[test]
fn versions_end_where_the_column_ends() {
    let last = active("football", 20, i64::from(i32::MAX));
    assert_eq!(last.next_version(), None);
    assert_eq!(evolve(last, &resized(30)), Err(Misfit::VersionsUsedUp));
}

#[test]
fn a_misfit_is_reported_with_its_version() {
    let events = [created("football", 20), deleted(), resized(30)];
    assert_eq!(
        replay(numbered(&events)),
        Err(ReplayError::Misfit {
            version: version(3),
            misfit: Misfit::AfterDeletion {
                event_type: "CircleUpdated",
            },
        }),
    );
}

#[test]
fn a_hole_a_repetition_and_a_late_start_are_errors() {
    let events = [created("football", 20), resized(30)];
    for (versions, expected, found) in [([1, 3], 2, 3), ([1, 1], 2, 1), ([2, 3], 1, 2)] {
        let history = versions.map(version).into_iter().zip(&events);
        assert_eq!(
            replay(history),
            Err(ReplayError::OtherVersion {
                expected: version(expected),
                found: version(found),
            }),
        );
    }
}
