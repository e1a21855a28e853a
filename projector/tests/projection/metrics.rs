//! What a projector tells of itself by numbers.

use test_support::metrics::Scrape;
use test_support::mysql::Engine;
use test_support::on_every_engine;

use crate::served::Served;
use crate::support::{World, update};

on_every_engine!(
    it_is_seen_how_far_it_is,
    a_hole_and_what_waits_behind_it_are_seen,
    parked_circles_are_seen,
    a_stand_by_tells_nothing_of_the_read_models,
);

const CHECKPOINT: &str = "circles_projector_checkpoint_sequence";
const HEAD: &str = "circles_projector_log_head_sequence";
const LAG_EVENTS: &str = "circles_projector_lag_events";
const LAG_SECONDS: &str = "circles_projector_lag_seconds";

fn is(scrape: &Scrape, state: &str) -> bool {
    scrape.get(&format!("circles_projector_state{{state=\"{state}\"}}")) == Some(1.0)
}

async fn it_is_seen_how_far_it_is(engine: Engine) {
    let world = World::create(engine).await;
    world.crowd(30).await;
    let served = Served::start(&world).await;
    let told = Scrape::until(served.metrics, "caught up", |told| {
        told.get(CHECKPOINT) == Some(30.0) && is(told, "running")
    });
    let told = told.await;
    for (sample, value) in [
        (HEAD, 30.0),
        (LAG_EVENTS, 0.0),
        (LAG_SECONDS, 0.0),
        ("circles_projector_applied_events_total", 30.0),
        ("circles_projector_parked_circles", 0.0),
        ("circles_projector_log_hole", 0.0),
        ("circles_projector_divergent_circles_total", 0.0),
        ("circles_projector_repaired_circles_total", 0.0),
        ("circles_projector_log_rewinds_total", 0.0),
        ("circles_projector_builds_total", 1.0),
        ("circles_projector_audited_circles_total", 0.0),
        ("circles_projector_rebuild_running", 0.0),
        ("circles_projector_rebuild_events", 0.0),
        ("circles_projector_rebuild_target_events", 0.0),
        ("circles_projector_rebuild_left_seconds", 0.0),
        ("circles_projector_state{state=\"halted\"}", 0.0),
    ] {
        assert_eq!(told.get(sample), Some(value), "{sample}");
    }
}

async fn a_hole_and_what_waits_behind_it_are_seen(engine: Engine) {
    let world = World::create(engine).await;
    let (id, _) = world.create_circle("football").await;
    world.command(id, update("golf", 30)).await;
    world.command(id, update("tennis", 40)).await;
    world
        .tamper("DELETE FROM circle_events WHERE sequence = 2")
        .await;
    world
        .tamper("UPDATE circle_events SET occurred_at = DATE_SUB(occurred_at, INTERVAL 1 HOUR)")
        .await;
    let mut served = Served::start(&world).await;
    let told = Scrape::until(served.metrics, "halted", |told| is(told, "halted")).await;
    assert_eq!(told.get("circles_projector_log_hole"), Some(1.0));
    assert!(told.get(LAG_EVENTS) >= Some(2.0));
    let age = told.get(LAG_SECONDS);
    assert!(age > Some(3_500.0) && age < Some(4_000.0), "{age:?}");

    // It is no longer for this one to tell, once another one works.
    world.redis.command(&["SET", "circles:lease", "another"]);
    let told = Scrape::until(served.metrics, "stands by", |told| is(told, "standby")).await;
    assert_eq!(told.get("circles_projector_log_hole"), Some(0.0));
    assert_eq!(served.status().await.checkpoint_sequence, 0);
}

async fn parked_circles_are_seen(engine: Engine) {
    let world = World::create(engine).await;
    let (id, _) = world.create_circle("football").await;
    world.append_unknown(id, 2).await;
    let served = Served::start(&world).await;
    Scrape::until(served.metrics, "a parked circle", |told| {
        told.get("circles_projector_parked_circles") == Some(1.0) && is(told, "running")
    })
    .await;
}

async fn a_stand_by_tells_nothing_of_the_read_models(engine: Engine) {
    let world = World::create(engine).await;
    world.create_circle("football").await;
    let mut leader = Served::start(&world).await;
    leader.caught_up().await;
    let standby = Served::start(&world).await;
    let told = Scrape::until(standby.metrics, "stands by", |told| {
        is(told, "standby") && told.get(HEAD) == Some(1.0)
    });
    let told = told.await;
    for sample in [CHECKPOINT, LAG_EVENTS, LAG_SECONDS] {
        assert_eq!(told.get(sample), None, "{sample}");
    }
}
