//! What a writer makes of a log that lost something, of statements that are refused, and of itself when it fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event_store::{Config, EventStore, Fresh, Outcome, SubmitError, Writer, WriterOptions};
use shared_domain::{Circle, CircleId, Command, Version};
use test_support::mysql::Engine;
use test_support::on_every_engine;
use test_support::proxy::{Direction, Fault, Proxy};

use crate::support::{
    Log, appended, create, cut_others, hold_head, new_circle, poll_once, set_capacity, submission,
    submit, until_head_is_waited_for,
};

on_every_engine!(
    what_a_failover_lost_is_forgotten,
    what_was_read_before_a_failover_is_read_again,
    a_snapshot_of_what_a_failover_lost_is_passed_over,
    one_that_is_refused_fails_alone,
    a_writer_survives_a_panic,
    an_append_that_never_reached_the_server_was_not_done,
    what_is_told_of_an_append_that_was_cut_off_is_true,
);

/// The server that takes over never had the events after this one.
async fn lose_tail(log: &Log, after: u64) {
    let mut connection = log.connection().await;
    for statement in [
        "DELETE FROM circle_events WHERE sequence > ?",
        "UPDATE log_head SET last_sequence = ?",
    ] {
        let lost = sqlx::query(statement).bind(after).execute(&mut connection);
        lost.await.unwrap();
    }
}

/// What the log has of an active circle.
async fn capacity(log: &Log, id: CircleId) -> i16 {
    let Circle::Active(circle) = log.store.load(id).await.unwrap().circle else {
        panic!("not active")
    };
    circle.capacity.get()
}

async fn what_a_failover_lost_is_forgotten(engine: Engine) {
    let log = Log::create(engine).await;
    let (one, _one) = log.writer();
    let (football, tennis) = (new_circle(), new_circle());
    appended(submit(&one, football, create("football", 20)).await);
    appended(submit(&one, tennis, create("tennis", 20)).await);
    let delete = Command::Delete {
        reason: None,
        expected: None,
    };
    appended(submit(&one, tennis, delete).await);
    appended(submit(&one, football, set_capacity(30, None)).await);

    lose_tail(&log, 2).await;
    let (other, _other) = log.writer();
    appended(submit(&other, tennis, set_capacity(40, None)).await);
    appended(submit(&other, football, set_capacity(40, None)).await);
    log.cut_other_connections().await;
    // To the one that remembers, it is 30 already; and tennis is deleted, or at its first version.
    let last = appended(submit(&one, football, set_capacity(30, None)).await);
    assert_eq!(last.circle.version(), Some(Version::new(3).unwrap()));
    let last = appended(submit(&one, tennis, set_capacity(30, None)).await);
    assert_eq!(last.circle.version(), Some(Version::new(3).unwrap()));
    assert_eq!(log.sequences().await, (1..=6).collect::<Vec<_>>());
    for id in [football, tennis] {
        assert_eq!(capacity(&log, id).await, 30);
    }
}

async fn what_was_read_before_a_failover_is_read_again(engine: Engine) {
    let log = Log::create(engine).await;
    let (one, _one) = log.writer();
    appended(submit(&one, new_circle(), create("tennis", 20)).await);
    let (other, _other) = log.writer();
    let football = new_circle();
    appended(submit(&other, football, create("football", 20)).await);
    appended(submit(&other, football, set_capacity(30, None)).await);

    let mut connection = log.connection().await;
    let mut held = hold_head(&mut connection).await;
    let call = submit(&one, football, set_capacity(30, None));
    let failover = async {
        // The circle is read by then. The next server has another event at the place of its last.
        until_head_is_waited_for(&mut held).await;
        let replace = "UPDATE circle_events SET id = UUID(), payload = REPLACE(payload, '30', '40') \
            WHERE sequence = 3";
        let replaced = sqlx::query(replace).execute(&mut *held).await.unwrap();
        assert_eq!(replaced.rows_affected(), 1);
        cut_others(&mut held).await;
        held.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(call, failover);
    assert_eq!(appended(answer).sequence.get(), 4);
    assert_eq!(capacity(&log, football).await, 30);
}

async fn a_snapshot_of_what_a_failover_lost_is_passed_over(engine: Engine) {
    let log = Log::create(engine).await;
    let id = new_circle();
    let (writer, task) = log.writer();
    let mut states = vec![appended(submit(&writer, id, create("football", 20)).await)];
    for n in 1..5 {
        states.push(appended(
            submit(&writer, id, set_capacity(20 + n, None)).await,
        ));
    }
    drop(writer);
    task.finished().await;
    assert_eq!(log.store.load(id).await.unwrap(), states[4]);

    lose_tail(&log, 4).await;
    assert_eq!(log.store.load(id).await.unwrap(), states[3]);
    // Nor where its place is taken by another event.
    let (writer, _task) = log.writer();
    appended(submit(&writer, new_circle(), create("tennis", 20)).await);
    let last = appended(submit(&writer, id, set_capacity(99, None)).await);
    assert_eq!(log.store.load(id).await.unwrap(), last);
}

async fn one_that_is_refused_fails_alone(engine: Engine) {
    let log = Log::create(engine).await;
    let mut connection = log.connection().await;
    let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON circle_events FOR EACH ROW \
        BEGIN IF NEW.payload LIKE '%chess%' THEN SIGNAL SQLSTATE '45000'; END IF; END";
    sqlx::raw_sql(trigger)
        .execute(&mut connection)
        .await
        .unwrap();
    let (writer, _task) = log.writer();
    // While the head is held, what comes after the first forms one batch.
    let held = hold_head(&mut connection).await;
    let names = ["the batch before", "football", "chess", "tennis"];
    let batch = names.map(|name| submission(new_circle(), create(name, 20)));
    let mut calls = batch.map(|submission| Box::pin(writer.submit(submission)));
    for call in &mut calls {
        assert!(!poll_once(call).await);
    }
    held.rollback().await.unwrap();
    for (name, call) in names.into_iter().zip(calls) {
        match (name, call.await) {
            ("chess", answer) => assert_eq!(answer, Err(SubmitError::Failed)),
            (_, answer) => drop(appended(answer)),
        }
    }
    assert_eq!(log.sequences().await, [1, 2, 3]);
}

async fn a_writer_survives_a_panic(engine: Engine) {
    let log = Log::create(engine).await;
    let panicked = AtomicBool::new(false);
    let observe = move |_| assert!(panicked.swap(true, Ordering::Relaxed), "as the test wants");
    let (writer, task) =
        Writer::start_observed(log.store.clone(), WriterOptions::default(), observe);
    let first = submission(new_circle(), create("football", 20));
    let answer = writer.submit(first.clone()).await;
    assert_eq!(answer, Err(SubmitError::Unknown));
    let again = writer.submit(first).await.unwrap();
    assert!(matches!(again, Outcome::Repeated(_)), "{again:?}");
    appended(submit(&writer, new_circle(), create("tennis", 20)).await);
    drop(writer);
    task.finished().await;
    assert_eq!(log.sequences().await, [1, 2]);
}

async fn an_append_that_never_reached_the_server_was_not_done(engine: Engine) {
    let (server, log) = Log::on_own_server(engine).await;
    let store = log.store.clone();
    let options = WriterOptions {
        patience: Duration::from_millis(300),
        ..WriterOptions::default()
    };
    let (writer, _task) = Writer::start(store, options);
    appended(submit(&writer, new_circle(), create("football", 20)).await);
    tokio::task::block_in_place(|| server.kill());
    for _ in 0..2 {
        let answer = submit(&writer, new_circle(), create("tennis", 20)).await;
        assert_eq!(answer, Err(SubmitError::Unreachable));
    }
    tokio::task::block_in_place(|| server.restart());
    let last = appended(submit(&writer, new_circle(), create("tennis", 20)).await);
    assert_eq!(last.sequence.get(), 2);
}

async fn what_is_told_of_an_append_that_was_cut_off_is_true(engine: Engine) {
    let log = Log::create(engine).await;
    let way = Proxy::start(log.database.address());
    let config = Config::new(log.database.url_by(way.address()));
    let store = EventStore::connect(&config).await.unwrap();
    let options = WriterOptions {
        patience: Duration::from_millis(20),
        ..WriterOptions::default()
    };
    let (writer, _task) = Writer::start(store, options);
    let mut unknown_and_done = 0;
    let mut not_done = 0;
    // So many bytes of the server's answers still come, up to those to the commit.
    for after in (0..400).step_by(4) {
        appended(submit(&writer, new_circle(), create("tennis", 20)).await);
        let before = log.store.head().await.unwrap();
        let mut cut_off = submission(new_circle(), create("football", 20));
        cut_off.fresh = Fresh {
            event: true,
            circle: true,
        };
        way.spoil(Direction::ToClient, Fault::Cut { after });
        let answer = writer.submit(cut_off).await;
        way.heal();
        let is_done = log.store.head().await.unwrap() > before;
        match answer {
            Ok(Outcome::Appended(_)) => {
                assert!(is_done);
                break;
            }
            Err(SubmitError::Unknown) => unknown_and_done += u32::from(is_done),
            Err(SubmitError::Unreachable) => {
                assert!(!is_done, "cut off after {after} bytes");
                not_done += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        unknown_and_done > 0 && not_done > 0,
        "{unknown_and_done} {not_done}"
    );
}
