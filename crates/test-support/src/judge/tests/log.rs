//! The log by SQL.

use sqlx::{AssertSqlSafe, Executor as _};

use super::by_hand::{A, Bench, events};
use crate::judge::fold::Fold;
use crate::judge::{
    Options, assert_becomes_consistent, assert_consistent, count_events, differences,
    expected_documents, log,
};
use crate::mysql::{Database, Engine};
use crate::on_every_engine;

on_every_engine!(
    the_log_is_read_as_it_was_written,
    the_whole_way_from_log_to_verdict
);

const TABLE: &str = include_str!("../../../../../migrations/0001_circle_events.sql");

async fn written(engine: Engine) -> Database {
    let database = Database::create(engine).await;
    let mut connection = database.connection().await;
    connection.execute(AssertSqlSafe(TABLE)).await.unwrap();
    for event in events() {
        let time = event.occurred_at.replace('T', " ").replace('Z', "");
        sqlx::query("INSERT INTO circle_events VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
            .bind(event.sequence)
            .bind(event.id)
            .bind(event.circle_id)
            .bind(event.version)
            .bind(event.event_type)
            .bind(event.payload)
            .bind(event.metadata)
            .bind(time)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    database
}

async fn the_log_is_read_as_it_was_written(engine: Engine) {
    let database = written(engine).await;
    let mut found = log::read_log(&database).await;
    let mut expected = events();
    // A server may order the keys of JSON anew.
    for event in found.iter_mut().chain(&mut expected) {
        for json in [&mut event.payload, &mut event.metadata] {
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            *json = value.to_string();
        }
    }
    assert_eq!(found, expected);
    assert_eq!(count_events(&database).await, 6);
}

async fn the_whole_way_from_log_to_verdict(engine: Engine) {
    let database = written(engine).await;
    let bench = Bench::new();
    bench.write_plain();
    assert_consistent(&database, &bench.redis).await;
    let documents = expected_documents(&database, &Options::default()).await;
    assert_eq!(documents.len(), 2);
    assert!(documents[A].contains(r#""capacity":30"#));

    bench.run(&["DEL", "circles:layout"]);
    let options = Options::default();
    assert_eq!(
        differences(&database, &bench.redis, &options).await.len(),
        1
    );
    let patience = std::time::Duration::from_secs(60);
    let wait = assert_becomes_consistent(&database, &bench.redis, &options, patience);
    let repair = async { bench.run(&["SET", "circles:layout", "2"]) };
    tokio::join!(wait, repair);
}

#[test]
fn the_empty_log_has_a_world_too() {
    let bench = Bench::new();
    bench.run(&["SET", "circles:layout", "2"]);
    let checkpoint = r#"{"sequence":0,"event_id":null}"#;
    bench.run(&["SET", "circles:checkpoint", checkpoint]);
    let fold = Fold::of(Vec::new(), &Options::default());
    assert_eq!(bench.compared(&fold, &Options::default()), []);
}

#[test]
#[should_panic(expected = "a hole in the log after 2")]
fn a_hole_in_the_log_is_no_basis() {
    let mut events = events();
    events.remove(2);
    Fold::of(events, &Options::default());
}

#[test]
fn a_hole_that_somebody_let_pass_parks_whom_it_hits() {
    let mut events = events();
    events.remove(4);
    let options = Options::default().hole_after(4).parked(6);
    let fold = Fold::of(events, &options);
    assert_eq!(fold.head(), 6);
    assert_eq!(fold.circles.len(), 3);
    assert_eq!(fold.changes.len(), 4);
}

#[test]
#[should_panic(expected = "a hole in the versions")]
fn a_version_follows_the_one_before() {
    let mut events = events();
    events[2].version = 3;
    Fold::of(events, &Options::default());
}

#[test]
fn an_event_that_nobody_can_read_parks_its_circle() {
    let mut events = events();
    events[2].event_type = "CirclePainted".to_owned();
    events[2].payload = "[]".to_owned();
    let fold = Fold::of(events, &Options::default().parked(3));
    assert_eq!(fold.circles[A].parked, Some((3, 2)));
}
