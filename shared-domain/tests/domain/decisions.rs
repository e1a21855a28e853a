//! What commands do: given a history, when a command comes, then an event is
//! recorded, or nothing, or the command is refused.

use shared_domain::{CircleEvent, Command, Refusal, decide};

use crate::examples::{
    capacity, created, deleted, folded, name, reason, renamed, resized, version,
};

struct Given<const N: usize>([CircleEvent; N]);

struct Outcome(Result<Option<CircleEvent>, Refusal>);

impl<const N: usize> Given<N> {
    fn when(self, command: Command) -> Outcome {
        Outcome(decide(&folded(&self.0), &command))
    }
}

impl Outcome {
    fn then_records(self, event: CircleEvent) {
        assert_eq!(self.0, Ok(Some(event)));
    }

    fn then_records_nothing(self) {
        assert_eq!(self.0, Ok(None));
    }

    fn then_refuses(self, refusal: Refusal) {
        assert_eq!(self.0, Err(refusal));
    }
}

fn create() -> Command {
    Command::Create {
        name: name("football"),
        capacity: capacity(20),
    }
}

fn update(text: Option<&str>, members: Option<i64>, expected: Option<i64>) -> Command {
    Command::Update {
        name: text.map(name),
        capacity: members.map(capacity),
        expected: expected.map(version),
    }
}

fn delete(expected: Option<i64>) -> Command {
    Command::Delete {
        reason: None,
        expected: expected.map(version),
    }
}

#[test]
fn a_circle_is_created_once() {
    Given([])
        .when(create())
        .then_records(created("football", 20));
    Given([created("football", 20)])
        .when(create())
        .then_refuses(Refusal::AlreadyExists);
}

#[test]
fn a_deleted_circle_is_not_created_again() {
    Given([created("football", 20), deleted()])
        .when(create())
        .then_refuses(Refusal::AlreadyExists);
}

#[test]
fn an_update_records_both_fields_where_both_change() {
    Given([created("football", 20)])
        .when(update(Some("baseball"), Some(40), None))
        .then_records(CircleEvent::CircleUpdated {
            name: Some(name("baseball")),
            capacity: Some(capacity(40)),
        });
}

#[test]
fn an_update_records_only_what_it_was_given() {
    Given([created("football", 20)])
        .when(update(Some("baseball"), None, None))
        .then_records(renamed("baseball"));
    Given([created("football", 20)])
        .when(update(None, Some(30), None))
        .then_records(resized(30));
}

#[test]
fn an_update_records_only_what_really_changes() {
    Given([created("football", 20)])
        .when(update(Some("football"), Some(30), None))
        .then_records(resized(30));
    Given([created("football", 20)])
        .when(update(Some("baseball"), Some(20), None))
        .then_records(renamed("baseball"));
}

#[test]
fn what_changes_is_judged_by_the_latest_event() {
    Given([created("football", 20), resized(30)])
        .when(update(None, Some(20), None))
        .then_records(resized(20));
}

#[test]
fn an_update_that_changes_nothing_records_nothing() {
    Given([created("football", 20), resized(30)])
        .when(update(Some("football"), Some(30), None))
        .then_records_nothing();
    Given([created("football", 20)])
        .when(update(None, None, None))
        .then_records_nothing();
    // Another spelling of the same name is the same name.
    Given([created("caf\u{e9}", 20)])
        .when(update(Some(" cafe\u{301} "), None, None))
        .then_records_nothing();
}

#[test]
fn a_deletion_keeps_its_reason() {
    Given([created("football", 20)])
        .when(Command::Delete {
            reason: Some(reason("nobody came")),
            expected: None,
        })
        .then_records(CircleEvent::CircleDeleted {
            reason: Some(reason("nobody came")),
        });
    Given([created("football", 20)])
        .when(delete(None))
        .then_records(deleted());
}

#[test]
fn nothing_happens_to_a_circle_that_is_not_there() {
    for expected in [None, Some(1)] {
        Given([])
            .when(update(Some("baseball"), None, expected))
            .then_refuses(Refusal::NotFound);
        Given([])
            .when(delete(expected))
            .then_refuses(Refusal::NotFound);
    }
}

#[test]
fn nothing_happens_to_a_deleted_circle_whatever_the_version() {
    for expected in [None, Some(1), Some(2), Some(3)] {
        Given([created("football", 20), deleted()])
            .when(update(Some("baseball"), None, expected))
            .then_refuses(Refusal::Deleted);
        Given([created("football", 20), deleted()])
            .when(delete(expected))
            .then_refuses(Refusal::Deleted);
    }
}

#[test]
fn the_present_version_is_accepted() {
    Given([created("football", 20), resized(30)])
        .when(update(None, Some(40), Some(2)))
        .then_records(resized(40));
    Given([created("football", 20), resized(30)])
        .when(delete(Some(2)))
        .then_records(deleted());
}

#[test]
fn another_version_is_refused_and_told_the_present_one() {
    let refusal = Refusal::VersionMismatch {
        present: version(2),
    };
    for other in [1, 3] {
        Given([created("football", 20), resized(30)])
            .when(update(None, Some(40), Some(other)))
            .then_refuses(refusal);
        Given([created("football", 20), resized(30)])
            .when(delete(Some(other)))
            .then_refuses(refusal);
        // Even where there would be nothing to change.
        Given([created("football", 20), resized(30)])
            .when(update(None, Some(30), Some(other)))
            .then_refuses(refusal);
    }
}
