use event_store::StoredCircle;
use shared_domain::{Circle, Sequence, Version};
use test_support::mysql::Engine;
use test_support::on_every_engine;

use crate::support::{Log, appended, create, new_circle, set_capacity, submit};

on_every_engine!(
    a_circle_that_was_never_created_is_absent,
    snapshots_are_taken_and_used,
    a_snapshot_that_cannot_be_used_is_passed_over,
    an_older_version_is_loaded_from_the_log,
);

async fn a_circle_that_was_never_created_is_absent(engine: Engine) {
    let log = Log::create(engine).await;
    let stored = log.store.load(new_circle()).await.unwrap();
    assert_eq!(
        stored,
        StoredCircle {
            circle: Circle::Absent,
            sequence: Sequence::ZERO
        }
    );
}

/// A circle with so many events, and everything written.
async fn circle_with(log: &Log, events: i64) -> (shared_domain::CircleId, StoredCircle) {
    let id = new_circle();
    let (writer, task) = log.writer();
    let mut last = appended(submit(&writer, id, create("football", 20)).await);
    for n in 1..events {
        last = appended(submit(&writer, id, set_capacity(20 + n, None)).await);
    }
    drop(writer);
    task.finished().await;
    (id, last)
}

async fn snapshots_are_taken_and_used(engine: Engine) {
    let log = Log::create(engine).await;
    let (id, last) = circle_with(&log, 12).await;
    let mut connection = log.connection().await;
    let version: i32 = sqlx::query_scalar("SELECT version FROM circle_snapshots")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(version, 10);

    // With the events before it gone, only the snapshot can give the state.
    sqlx::query("DELETE FROM circle_events WHERE version < 10")
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(log.store.load(id).await.unwrap(), last);
}

async fn a_snapshot_that_cannot_be_used_is_passed_over(engine: Engine) {
    let log = Log::create(engine).await;
    let (id, last) = circle_with(&log, 7).await;
    let mut connection = log.connection().await;
    for damage in [
        "UPDATE circle_snapshots SET schema_version = 99",
        "UPDATE circle_snapshots SET schema_version = 1, state = '{\"phase\":\"unheard of\"}'",
        "UPDATE circle_snapshots SET state = '[]'",
        "UPDATE circle_snapshots SET state = \
         '{\"phase\":\"active\",\"name\":\"x\",\"capacity\":3,\"version\":4}'",
    ] {
        sqlx::raw_sql(damage)
            .execute(&mut connection)
            .await
            .unwrap();
        assert_eq!(log.store.load(id).await.unwrap(), last, "{damage}");
    }
    assert_eq!(log.store.ignored_snapshots(), 4);
}

async fn an_older_version_is_loaded_from_the_log(engine: Engine) {
    let log = Log::create(engine).await;
    let (id, _) = circle_with(&log, 8).await;
    for version in 1..=8 {
        let wanted = Version::new(version).unwrap();
        let stored = log.store.load_at(id, wanted).await.unwrap();
        let Circle::Active(circle) = stored.circle else {
            panic!("not active")
        };
        assert_eq!(circle.version, wanted);
        assert_eq!(i64::from(circle.capacity.get()), 20 + version - 1);
        assert_eq!(stored.sequence.get(), version as u64);
    }
}
