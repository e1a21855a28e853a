//! Short ways to write values down.

use shared_domain::{Capacity, Circle, CircleEvent, CircleName, DeletionReason, Version, replay};

pub(crate) fn name(text: &str) -> CircleName {
    CircleName::new(text).expect("the example is a name")
}

pub(crate) fn capacity(members: i64) -> Capacity {
    Capacity::new(members).expect("the example is a capacity")
}

pub(crate) fn reason(text: &str) -> DeletionReason {
    DeletionReason::new(text).expect("the example is a reason")
}

pub(crate) fn version(number: i64) -> Version {
    Version::new(number).expect("the example is a version")
}

pub(crate) fn created(text: &str, members: i64) -> CircleEvent {
    CircleEvent::CircleCreated {
        name: name(text),
        capacity: capacity(members),
    }
}

pub(crate) fn renamed(text: &str) -> CircleEvent {
    CircleEvent::CircleUpdated {
        name: Some(name(text)),
        capacity: None,
    }
}

pub(crate) fn resized(members: i64) -> CircleEvent {
    CircleEvent::CircleUpdated {
        name: None,
        capacity: Some(capacity(members)),
    }
}

pub(crate) fn deleted() -> CircleEvent {
    CircleEvent::CircleDeleted { reason: None }
}

/// Gives events the versions from 1 on.
pub(crate) fn numbered(events: &[CircleEvent]) -> impl Iterator<Item = (Version, &CircleEvent)> {
    (1..).map(version).zip(events)
}

/// What a history makes of a circle.
pub(crate) fn folded(events: &[CircleEvent]) -> Circle {
    replay(numbered(events)).expect("the example is a true history")
}
