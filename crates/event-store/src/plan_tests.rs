use chrono::DateTime;
use shared_domain::{Capacity, Circle, CircleName, Command, DeletionReason, Metadata, Refusal};
use tokio::time::Instant;
use uuid::Uuid;

use super::*;
use crate::cache::Reign;
use crate::submission::{Fresh, Submission};

fn circle(n: u128) -> CircleId {
    CircleId::from_uuid(Uuid::from_u128(n))
}

fn event(n: u128) -> EventId {
    EventId::from_uuid(Uuid::from_u128(1_000 + n))
}

fn create() -> Command {
    Command::Create {
        name: CircleName::new("football").unwrap(),
        capacity: Capacity::new(20).unwrap(),
    }
}

fn set_capacity(capacity: i64, expected: Option<i64>) -> Command {
    Command::Update {
        name: None,
        capacity: Some(Capacity::new(capacity).unwrap()),
        expected: expected.map(|version| Version::new(version).unwrap()),
    }
}

fn delete() -> Command {
    Command::Delete {
        reason: Some(DeletionReason::new("empty").unwrap()),
        expected: None,
    }
}

fn submission(n: u128, circle_id: CircleId, command: Command, basis: StoredCircle) -> Attempt {
    let submission = Submission {
        event_id: event(n),
        circle_id,
        command,
        metadata: Metadata::default(),
        occurred_at: DateTime::UNIX_EPOCH,
        fresh: Fresh::default(),
        deadline: None,
    };
    Attempt {
        submission,
        basis,
        known_since: Instant::now(),
    }
}

/// A circle of version 1, at sequence 1.
fn football() -> StoredCircle {
    let created = decide(&Circle::Absent, &create()).unwrap().unwrap();
    StoredCircle {
        circle: evolve(Circle::Absent, &created).unwrap(),
        sequence: Sequence::new(1),
    }
}

fn at(version: i64) -> Known {
    Known {
        version: Some(Version::new(version).unwrap()),
        repeated: None,
    }
}

fn plan(batch: &[Attempt], known: Vec<Known>) -> Plan {
    Plan::new(
        Sequence::new(10),
        batch,
        known,
        &CircleCache::new(0),
        HashMap::new(),
    )
    .unwrap()
}

fn appended(verdict: &Verdict) -> (i32, u64) {
    match verdict {
        Verdict::Settled(Outcome::Appended(stored)) => (
            stored.circle.version().unwrap().get(),
            stored.sequence.get(),
        ),
        other => panic!("not appended: {other:?}"),
    }
}

#[test]
fn events_take_the_sequences_after_the_head() {
    let batch = [
        submission(1, circle(1), create(), StoredCircle::default()),
        submission(2, circle(2), create(), StoredCircle::default()),
    ];
    let plan = plan(&batch, vec![Known::default(), Known::default()]);
    assert_eq!(
        plan.rows.iter().map(|row| row.sequence).collect::<Vec<_>>(),
        [11, 12]
    );
    assert_eq!(appended(&plan.verdicts[0]), (1, 11));
    assert_eq!(appended(&plan.verdicts[1]), (1, 12));
}

#[test]
fn commands_without_a_version_chain_on_one_circle() {
    let batch = [
        submission(1, circle(1), set_capacity(30, None), football()),
        submission(2, circle(1), set_capacity(40, None), football()),
        submission(3, circle(1), delete(), football()),
    ];
    let plan = plan(&batch, vec![at(1), at(1), at(1)]);
    let outcomes: Vec<_> = plan.verdicts.iter().map(appended).collect();
    assert_eq!(outcomes, [(2, 11), (3, 12), (4, 13)]);
}

#[test]
fn of_commands_with_one_version_the_first_wins_and_the_others_learn_the_present() {
    let batch = [
        submission(1, circle(1), set_capacity(30, Some(1)), football()),
        submission(2, circle(1), set_capacity(40, Some(1)), football()),
    ];
    let plan = plan(&batch, vec![at(1), at(1)]);
    assert_eq!(appended(&plan.verdicts[0]), (2, 11));
    let present = Version::new(2).unwrap();
    assert_eq!(
        plan.verdicts[1],
        Verdict::Settled(Outcome::Refused(Refusal::VersionMismatch { present }))
    );
    assert_eq!(plan.rows.len(), 1);
}

#[test]
fn a_loser_leaves_no_hole_and_no_trace_on_its_neighbours() {
    let batch = [
        submission(1, circle(1), create(), StoredCircle::default()),
        submission(
            2,
            circle(2),
            set_capacity(30, None),
            StoredCircle::default(),
        ),
        submission(3, circle(3), set_capacity(20, None), football()),
        submission(4, circle(4), create(), StoredCircle::default()),
    ];
    let plan = plan(
        &batch,
        vec![Known::default(), Known::default(), at(1), Known::default()],
    );
    assert_eq!(appended(&plan.verdicts[0]), (1, 11));
    assert_eq!(
        plan.verdicts[1],
        Verdict::Settled(Outcome::Refused(Refusal::NotFound))
    );
    assert_eq!(
        plan.verdicts[2],
        Verdict::Settled(Outcome::Unchanged(football()))
    );
    assert_eq!(appended(&plan.verdicts[3]), (1, 12));
}

#[test]
fn a_basis_that_is_no_longer_true_is_stale() {
    let batch = [
        submission(1, circle(1), set_capacity(30, None), football()),
        submission(2, circle(2), create(), StoredCircle::default()),
        submission(3, circle(3), set_capacity(30, None), football()),
    ];
    let plan = plan(&batch, vec![at(2), at(1), Known::default()]);
    assert_eq!(
        plan.verdicts,
        [Verdict::Stale, Verdict::Stale, Verdict::Stale]
    );
    assert!(plan.rows.is_empty());
}

#[test]
fn the_same_event_id_twice_in_a_batch_is_a_repetition() {
    let batch = [
        submission(1, circle(1), create(), StoredCircle::default()),
        submission(1, circle(2), create(), StoredCircle::default()),
    ];
    let plan = plan(&batch, vec![Known::default(), Known::default()]);
    assert_eq!(appended(&plan.verdicts[0]), (1, 11));
    let Verdict::Settled(Outcome::Repeated(first)) = &plan.verdicts[1] else {
        panic!("not a repetition: {:?}", plan.verdicts[1])
    };
    assert_eq!(
        (first.circle_id, first.sequence),
        (circle(1), Sequence::new(11))
    );
    assert_eq!(plan.rows.len(), 1);
}

#[test]
fn a_cached_circle_serves_where_the_log_confirms_its_version() {
    let cache = CircleCache::new(1 << 20);
    cache.put(circle(1), football(), Reign::default());
    let batch = [submission(
        1,
        circle(1),
        set_capacity(30, None),
        StoredCircle::default(),
    )];
    let settle = |known| {
        Plan::new(
            Sequence::new(10),
            &batch,
            vec![known],
            &cache,
            HashMap::new(),
        )
        .unwrap()
    };
    assert_eq!(appended(&settle(at(1)).verdicts[0]), (2, 11));
    assert_eq!(settle(at(2)).verdicts, [Verdict::Stale]);
    assert_eq!(
        settle(Known::default()).verdicts,
        [Verdict::Settled(Outcome::Refused(Refusal::NotFound))]
    );
}
