use std::time::Duration;

use projector::Step;
use sqlx::Connection as _;
use test_support::mysql::Engine;
use test_support::on_every_engine;
use uuid::Uuid;

use crate::support::{World, create, update};

on_every_engine!(
    an_empty_log_makes_an_empty_world,
    one_event_is_shown,
    every_event_is_applied_once,
    a_projector_that_is_cut_off_at_any_point_goes_on_where_it_was,
    the_same_holds_for_every_partition,
    what_is_built_serves_no_query_before_it_is_whole,
    pages_are_read_ahead_and_applied_in_order,
    two_projectors_do_each_other_no_harm,
    an_append_held_open_is_neither_missed_nor_repeated,
    a_flushed_redis_is_built_again,
    however_it_is_gathered_the_same_is_built,
);

async fn an_empty_log_makes_an_empty_world(engine: Engine) {
    let world = World::create(engine).await;
    assert_eq!(world.catch_up(&mut world.projector(10)).await, 0);
    world.assert_consistent().await;
}

async fn one_event_is_shown(engine: Engine) {
    let world = World::create(engine).await;
    let mut projector = world.projector(10);
    assert_eq!(world.catch_up(&mut projector).await, 0);
    let (id, stored) = world.create_circle("football").await;
    assert_eq!(world.catch_up(&mut projector).await, 1);
    assert_eq!(stored.sequence.get(), 1);
    assert!(world.document(id).unwrap().contains("football"));
    world.assert_consistent().await;
}

async fn every_event_is_applied_once(engine: Engine) {
    let world = World::create(engine).await;
    let mut projector = world.projector(13);
    let mut applied = 0;
    for _ in 0..4 {
        world.crowd(40).await;
        applied += world.catch_up(&mut projector).await;
        world.assert_consistent().await;
    }
    assert_eq!(applied as u64, world.store.head().await.unwrap().get());
}

/// Dropping the future of a step is the same to it as losing the process: everything that it
/// knew is gone, and what it had sent may or may not arrive.
async fn a_projector_that_is_cut_off_at_any_point_goes_on_where_it_was(engine: Engine) {
    cut_off_at_any_point(World::create(engine).await).await;
}

async fn the_same_holds_for_every_partition(engine: Engine) {
    cut_off_at_any_point(World::spread(engine, 5).await).await;
}

async fn cut_off_at_any_point(world: World) {
    world.crowd(150).await;
    let mut cut_off = 0;
    for n in 0..200_u64 {
        let mut projector = world.projector(3);
        let steps = async {
            loop {
                projector.step().await.unwrap();
            }
        };
        // From before the first statement until after the last.
        let patience = Duration::from_micros((n * 237) % 12_000);
        let _: Result<(), _> = tokio::time::timeout(patience, steps).await;
        cut_off += 1;
    }
    assert_eq!(cut_off, 200);
    world.catch_up(&mut world.projector(50)).await;
    world.assert_consistent().await;
}

async fn two_projectors_do_each_other_no_harm(engine: Engine) {
    let world = World::create(engine).await;
    let (mut one, mut other) = (world.projector(5), world.projector(7));
    world.catch_up(&mut one).await;
    let crowd = world.crowd(150);
    let ((), a, b) = tokio::join!(
        crowd,
        async {
            let mut applied = 0;
            for _ in 0..60 {
                if let Step::Applied { events, .. } = one.step().await.unwrap() {
                    applied += events;
                }
            }
            applied
        },
        async {
            let mut applied = 0;
            for _ in 0..60 {
                if let Step::Applied { events, .. } = other.step().await.unwrap() {
                    applied += events;
                }
            }
            applied
        },
    );
    let rest = world.catch_up(&mut one).await;
    assert_eq!(
        (a + b + rest) as u64,
        world.store.head().await.unwrap().get()
    );
    world.assert_consistent().await;
}

async fn an_append_held_open_is_neither_missed_nor_repeated(engine: Engine) {
    let world = World::create(engine).await;
    world.create_circle("before").await;
    let mut projector = world.projector(10);
    assert_eq!(world.catch_up(&mut projector).await, 1);

    let mut connection = world.sql().await;
    let mut held = connection.begin().await.unwrap();
    sqlx::query("UPDATE log_head SET last_sequence = last_sequence + 1 WHERE id = 1")
        .execute(&mut *held)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO circle_events VALUES (2, ?, ?, 1, 'CircleCreated', \
         '{\"type\":\"circle_created\",\"name\":\"held\",\"capacity\":3}', '{}', NOW(6))",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(Uuid::now_v7().to_string())
    .execute(&mut *held)
    .await
    .unwrap();

    // Others want to append meanwhile, and the projector looks all the time.
    let others = async {
        tokio::join!(
            world.create_circle("a"),
            world.create_circle("b"),
            world.create_circle("c"),
        )
    };
    let mut others = Box::pin(others);
    let mut applied = 0;
    for _ in 0..50 {
        tokio::select! {
            biased;
            _ = &mut others => panic!("an append overtook the one that holds the head"),
            step = projector.step() => {
                if let Step::Applied { events, .. } = step.unwrap() {
                    applied += events;
                }
            }
        }
    }
    assert_eq!(applied, 0);
    held.commit().await.unwrap();
    others.await;
    assert_eq!(world.catch_up(&mut projector).await, 4);
    world.assert_consistent().await;
}

async fn a_flushed_redis_is_built_again(engine: Engine) {
    let world = World::create(engine).await;
    let mut projector = world.projector(20);
    world.crowd(50).await;
    world.catch_up(&mut projector).await;
    world.flush_redis();
    // The same projector, which still believes that all is there.
    let (id, _) = world.create_circle("after the flood").await;
    world.command(id, update("after the flood", 40)).await;
    world.command(id, create("again")).await;
    world.catch_up(&mut projector).await;
    world.assert_consistent().await;
}

async fn what_is_built_serves_no_query_before_it_is_whole(engine: Engine) {
    let world = World::create(engine).await;
    for n in 0..50 {
        world.create_circle(&format!("circle {n}")).await;
    }
    let mut projector = world.projector(10);
    let checkpoint = || world.redis.command(&["GET", "circles:checkpoint"]);
    let mut steps = 0;
    loop {
        projector.step().await.unwrap();
        steps += 1;
        if !projector.is_building() {
            break;
        }
        assert!(checkpoint().is_empty(), "after {steps} steps");
    }
    // Circles, changes, and then the end of the log.
    assert!(steps >= 3, "it was built in {steps} steps");
    world.assert_consistent().await;
}

async fn pages_are_read_ahead_and_applied_in_order(engine: Engine) {
    let world = World::create(engine).await;
    let mut projector = world.projector(4);
    world.catch_up(&mut projector).await;
    world.crowd(150).await;
    assert_eq!(world.catch_up(&mut projector).await, 150);
    world.assert_consistent().await;
}

async fn however_it_is_gathered_the_same_is_built(engine: Engine) {
    let mut world = World::spread(engine, 3).await;
    world.changes_kept = 100;
    // More than one page, and an odd number.
    world.crowd(901).await;
    for in_memory in [901, 900] {
        world.flush_redis();
        let mut projector = world.gathering(20, in_memory);
        // Not event by event, which comes to the same and takes longer.
        let first = projector.step().await.unwrap();
        let Step::Filled { events } = first else {
            panic!("{first:?}");
        };
        let rest = world.catch_up(&mut projector).await;
        assert_eq!(events + rest, 901, "{in_memory}");
        world.assert_consistent().await;
    }
}
