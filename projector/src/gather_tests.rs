//! What is handed over at once, and that nothing is passed over for good.

use event_store::Damage;
use test_support::mysql::Engine;
use test_support::on_every_engine;
use tokio::time::timeout;

use super::*;
use crate::support::{PATIENCE, World};

on_every_engine!(
    a_log_that_does_not_fit_into_memory_is_read_circle_by_circle,
    parts_are_of_like_size_and_tell_how_much_is_done,
    an_event_of_no_circle_is_met_however_far_back_it_is,
);

fn scope(events: u64) -> Scope {
    Scope {
        until: Sequence::new(events),
        entries_after: Sequence::ZERO,
        events,
        holes: BTreeMap::new(),
    }
}

/// All parts, or the error at the end.
async fn gather(world: &World, scope: Scope, in_memory: u64) -> Result<Vec<Part>, StoreError> {
    let mut gathering = Gathering::begin(world.store.clone(), scope, in_memory);
    let mut parts = Vec::new();
    let all = async {
        while let Some((part, rest)) = gathering.next().await? {
            parts.push(part.expect("there is no outage"));
            gathering = rest;
        }
        Ok(parts)
    };
    timeout(PATIENCE, all).await.expect("gathering ends")
}

async fn a_log_that_does_not_fit_into_memory_is_read_circle_by_circle(engine: Engine) {
    let world = World::create(engine).await;
    world.crowd(20).await;
    let mut scope = scope(20);
    scope.entries_after = Sequence::new(5);
    for (in_memory, at_once) in [(19, false), (20, true), (21, true)] {
        let parts = gather(&world, scope.clone(), in_memory).await.unwrap();
        // In the order of the log, no circle is complete before its end.
        assert_eq!(parts[0].circles.is_empty(), at_once, "{in_memory}");
        let changes = parts.iter().flat_map(|part| &part.changes);
        let sequences = changes.map(|change| change.position.sequence.get());
        assert_eq!(sequences.collect::<Vec<_>>(), (6..=20).collect::<Vec<_>>());
    }
}

async fn parts_are_of_like_size_and_tell_how_much_is_done(engine: Engine) {
    let world = World::create(engine).await;
    world.create_circles(1_003).await;
    for (in_memory, expected) in [
        // Each event counts half when it is read, and half with its circle.
        (
            u64::MAX,
            [
                (0, 800, 400),
                (0, 203, 101),
                (500, 0, 250),
                (500, 0, 250),
                (3, 0, 2),
            ]
            .as_slice(),
        ),
        (
            0,
            &[
                (300, 0, 300),
                (300, 0, 300),
                (300, 0, 300),
                (103, 0, 103),
                (0, 500, 0),
                (0, 500, 0),
                (0, 3, 0),
            ],
        ),
    ] {
        let parts = gather(&world, scope(1_003), in_memory).await.unwrap();
        let sizes = parts
            .iter()
            .map(|part| (part.circles.len(), part.changes.len(), part.events));
        assert_eq!(sizes.collect::<Vec<_>>(), expected);
    }
}

async fn an_event_of_no_circle_is_met_however_far_back_it_is(engine: Engine) {
    let world = World::create(engine).await;
    world.create_circles(1_003).await;
    world
        .tamper("UPDATE circle_events SET circle_id = 'impossible' WHERE sequence = 1002")
        .await;
    for in_memory in [0, u64::MAX] {
        let gathered = gather(&world, scope(1_003), in_memory).await;
        let Err(StoreError::Damaged(Damage::Column { sequence, .. })) = gathered else {
            panic!("{gathered:?}");
        };
        assert_eq!(sequence, Sequence::new(1_002));
    }
}
