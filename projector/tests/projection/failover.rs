//! Servers that lost something: MySQL its tail, Redis its tail or everything.

use projector::Step;
use test_support::mysql::Engine;
use test_support::on_every_engine;
use test_support::proxy::{Direction, Fault};

use crate::support::{PATIENCE, World, update};

on_every_engine!(
    a_log_that_lost_its_tail_takes_the_read_models_back,
    new_events_under_the_old_numbers_are_told_apart,
    a_log_that_lost_everything_leaves_nothing,
    a_log_that_lost_more_than_the_changes_that_are_kept_is_built_anew,
    a_fill_that_a_failover_cuts_through_begins_anew,
    a_fill_goes_on_after_an_outage_of_the_log,
    a_rewind_that_is_cut_off_is_completed,
    an_older_redis_is_caught_up,
    a_redis_that_lost_everything_is_noticed_without_an_event,
    partitions_go_back_together,
);

async fn a_log_that_lost_its_tail_takes_the_read_models_back(engine: Engine) {
    let world = World::create(engine).await;
    let mut projector = world.projector(10);
    world.crowd(50).await;
    world.catch_up(&mut projector).await;
    world.lose_tail(41).await;
    let step = projector.step().await.unwrap();
    assert!(
        matches!(step, Step::Rewound { common } if common.get() == 41),
        "{step:?}"
    );
    world.catch_up(&mut projector).await;
    assert_eq!(projector.counts().rewinds, 1);
    // Nothing was shown otherwise than the log had it.
    assert_eq!(projector.counts().divergent, 0);
    assert!(projector.counts().repaired > 0);
    world.assert_consistent().await;
}

async fn new_events_under_the_old_numbers_are_told_apart(engine: Engine) {
    let mut world = World::create(engine).await;
    world.crowd(50).await;
    // A projector that has just started, and one that was there all the time.
    let mut old = world.projector(7);
    world.catch_up(&mut old).await;
    for lost in [45, 30, 20] {
        world.lose_tail(lost).await;
        world.forgetful_writer();
        world.crowd(60).await;
        world.catch_up(&mut old).await;
        world.assert_consistent().await;

        world.lose_tail(lost).await;
        world.forgetful_writer();
        world.crowd(10).await;
        let mut new = world.projector(7);
        world.catch_up(&mut new).await;
        assert_eq!(new.counts().rewinds, 1);
        world.assert_consistent().await;
        old.forget();
    }
}

async fn a_log_that_lost_everything_leaves_nothing(engine: Engine) {
    let mut world = World::create(engine).await;
    let mut projector = world.projector(10);
    world.crowd(30).await;
    world.catch_up(&mut projector).await;
    world.lose_tail(0).await;
    world.catch_up(&mut projector).await;
    world.assert_consistent().await;
    world.forgetful_writer();
    world.crowd(40).await;
    world.catch_up(&mut projector).await;
    world.assert_consistent().await;
}

async fn a_log_that_lost_more_than_the_changes_that_are_kept_is_built_anew(engine: Engine) {
    let mut world = World::create(engine).await;
    world.changes_kept = 16;
    world.crowd(80).await;
    // What it found at its start, such as the end of the log, holds no longer.
    let mut projector = world.projector(10);
    world.catch_up(&mut projector).await;
    world.assert_consistent().await;
    world.lose_tail(40).await;
    world.forgetful_writer();
    world.crowd(7).await;
    let builds = projector.counts().builds;
    world.catch_up(&mut projector).await;
    assert_eq!(projector.counts().builds, builds + 1);
    // Watches that saw more than there is now end; those of later lists do not.
    let rewound = world.redis.command(&["GET", "circles:rewound"]);
    assert_eq!(rewound, [r#"{"common":30,"until":46,"times":1}"#]);
    let floor = world.redis.command(&["GET", "circles:changes:floor"]);
    assert_eq!(floor, ["31"]);
    world.assert_consistent().await;
}

/// More circles than are read before the first of them are written.
const MANY: usize = 1_500;

async fn a_fill_that_a_failover_cuts_through_begins_anew(engine: Engine) {
    let mut world = World::create(engine).await;
    let (first, _) = world.create_circle("first").await;
    world.create_circles(MANY).await;
    let (last, stored) = world.create_circle("last").await;
    for n in 0..20 {
        world.command(first, update("lost", 30 + n)).await;
    }
    let mut projector = world.projector(10);
    let step = projector.step().await.unwrap();
    assert!(matches!(step, Step::Filled { .. }), "{step:?}");
    // The first circle is read, the last is not.
    world.lose_tail(stored.sequence.get()).await;
    world.forgetful_writer();
    for n in 0..20 {
        world.command(last, update("found", 30 + n)).await;
    }
    world.catch_up(&mut projector).await;
    world.assert_consistent().await;
    assert_eq!(projector.counts().rewinds, 1);
}

async fn a_fill_goes_on_after_an_outage_of_the_log(engine: Engine) {
    let world = World::create(engine).await;
    world.create_circles(MANY).await;
    let (way, log) = world.log_by_a_way().await;
    let mut projector = world.reading(log, 10, 0);
    let step = projector.step().await.unwrap();
    assert!(matches!(step, Step::Filled { .. }), "{step:?}");
    way.spoil(Direction::ToClient, Fault::Cut { after: 0 });
    // It is told, rather than waited for, and then it can be waited for.
    let told = async {
        loop {
            match projector.step().await {
                Ok(step) => assert!(matches!(step, Step::Filled { .. }), "{step:?}"),
                Err(error) => break error,
            }
        }
    };
    let error = tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert!(error.is_transient(), "{error}");
    assert!(projector.is_building());
    way.heal();
    let filled = async {
        while projector.is_building() {
            match projector.step().await {
                Err(error) => assert!(error.is_transient(), "{error}"),
                Ok(step) => assert!(
                    matches!(step, Step::Filled { .. } | Step::Idle { .. }),
                    "{step:?}"
                ),
            }
        }
    };
    tokio::time::timeout(PATIENCE, filled).await.unwrap();
    assert_eq!(projector.counts().builds, 1);
    world.assert_consistent().await;
}

async fn a_rewind_that_is_cut_off_is_completed(engine: Engine) {
    let mut world = World::create(engine).await;
    world.crowd(60).await;
    world.catch_up(&mut world.projector(50)).await;
    for n in 0..40_u64 {
        world.lose_tail(50 - n).await;
        world.forgetful_writer();
        world.crowd(3).await;
        let mut projector = world.projector(5);
        let steps = async {
            loop {
                projector.step().await.unwrap();
            }
        };
        let patience = std::time::Duration::from_micros(1_000 + n * 173);
        let _: Result<(), _> = tokio::time::timeout(patience, steps).await;
    }
    world.catch_up(&mut world.projector(50)).await;
    world.assert_consistent().await;
}

async fn an_older_redis_is_caught_up(engine: Engine) {
    let world = World::create(engine).await;
    let mut projector = world.projector(10);
    world.crowd(40).await;
    world.catch_up(&mut projector).await;
    let dump = world.dump();
    world.crowd(40).await;
    let (id, _) = world.create_circle("football").await;
    world.command(id, update("golf", 50)).await;
    world.catch_up(&mut projector).await;
    world.put_back(&dump);
    // No event comes any more that could tell.
    world.catch_up_with_redis(&mut projector).await;
    world.assert_consistent().await;
}

async fn a_redis_that_lost_everything_is_noticed_without_an_event(engine: Engine) {
    for partitions in [1, 3] {
        let world = World::spread(engine, partitions).await;
        let mut projector = world.projector(10);
        world.crowd(30).await;
        world.catch_up(&mut projector).await;
        world.flush_redis();
        world.catch_up_with_redis(&mut projector).await;
        world.assert_consistent().await;
    }
}

async fn partitions_go_back_together(engine: Engine) {
    let mut world = World::spread(engine, 4).await;
    let mut projector = world.projector(10);
    world.crowd(80).await;
    world.catch_up(&mut projector).await;
    for lost in [70, 33] {
        world.lose_tail(lost).await;
        world.forgetful_writer();
        world.crowd(20).await;
        world.catch_up(&mut projector).await;
        world.assert_consistent().await;
    }
}
