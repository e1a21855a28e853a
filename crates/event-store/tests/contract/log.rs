use std::time::Duration;

use event_store::{Damage, EventStore, LogEntry, StoreError};
use shared_domain::{CircleEvent, EventId, Metadata, Sequence};
use sqlx::Connection as _;
use test_support::mysql::Engine;
use test_support::on_every_engine;
use uuid::Uuid;

use crate::support::{Log, appended, create, new_circle, now, set_capacity, submission, submit};

on_every_engine!(
    an_event_is_read_as_it_was_appended,
    a_hole_is_damage,
    an_event_of_the_future_spoils_no_other,
    an_append_held_open_is_neither_missed_nor_overtaken,
    a_tail_sees_every_event_once_and_in_order_while_replicas_append,
);

async fn an_event_is_read_as_it_was_appended(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, _task) = log.writer();
    let mut wanted = submission(new_circle(), create("茶道 \"\\ 🎾", 20));
    wanted.metadata = Metadata {
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        actor: Some("Zoë".into()),
        request_id: Some(EventId::from_uuid(Uuid::now_v7())),
    };
    appended(writer.submit(wanted.clone()).await);

    let mut entries = log.store.read_from(Sequence::ZERO, 10).await.unwrap();
    let found = entries.remove(0).recorded().unwrap();
    assert!(entries.is_empty());
    assert_eq!(found.id, wanted.event_id);
    assert_eq!(found.circle_id, wanted.circle_id);
    assert_eq!(found.metadata, wanted.metadata);
    assert_eq!(found.occurred_at, now());
    let CircleEvent::CircleCreated { name, capacity } = found.event else {
        panic!("no creation")
    };
    assert_eq!((name.as_str(), capacity.get()), ("茶道 \"\\ 🎾", 20));
}

async fn a_hole_is_damage(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, _task) = log.writer();
    for _ in 0..5 {
        appended(submit(&writer, new_circle(), create("football", 20)).await);
    }
    sqlx::query("DELETE FROM circle_events WHERE sequence = 3")
        .execute(&mut log.connection().await)
        .await
        .unwrap();
    let error = log.store.read_from(Sequence::ZERO, 10).await.unwrap_err();
    let StoreError::Damaged(Damage::Hole { after, found }) = error else {
        panic!("{error:?}")
    };
    assert_eq!((after.get(), found.get()), (2, 4));
    // What stands before the hole can be read.
    assert_eq!(
        log.store.read_from(Sequence::ZERO, 2).await.unwrap().len(),
        2
    );
}

async fn an_event_of_the_future_spoils_no_other(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, _task) = log.writer();
    for _ in 0..3 {
        appended(submit(&writer, new_circle(), create("football", 20)).await);
    }
    sqlx::query("UPDATE circle_events SET event_type = 'CirclePainted' WHERE sequence = 2")
        .execute(&mut log.connection().await)
        .await
        .unwrap();
    let entries = log.store.read_from(Sequence::ZERO, 10).await.unwrap();
    let readable: Vec<_> = entries.iter().map(|entry| entry.event.is_ok()).collect();
    assert_eq!(readable, [true, false, true]);
}

/// The trap of every log that is tailed by number: a transaction that began early and
/// commits late. Ours holds the head, so those behind it wait instead of overtaking.
async fn an_append_held_open_is_neither_missed_nor_overtaken(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, _task) = log.writer();
    appended(submit(&writer, new_circle(), create("before", 20)).await);

    let mut connection = log.connection().await;
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
    .bind(new_circle().to_string())
    .execute(&mut *held)
    .await
    .unwrap();

    let others: Vec<_> = (0..4)
        .map(|_| {
            let writer = writer.clone();
            tokio::spawn(async move {
                appended(submit(&writer, new_circle(), create("after", 20)).await)
            })
        })
        .collect();
    // Long enough for an append that would not wait to get through.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(log.sequences().await, [1]);

    held.commit().await.unwrap();
    for other in others {
        other.await.unwrap();
    }
    assert_eq!(log.sequences().await, [1, 2, 3, 4, 5, 6]);
}

async fn a_tail_sees_every_event_once_and_in_order_while_replicas_append(engine: Engine) {
    const WRITERS: u64 = 3;
    const EACH: u64 = 60;
    let log = Log::create(engine).await;
    let tail = tokio::spawn(tail_until(log.store.clone(), WRITERS * EACH));
    let mut writing = Vec::new();
    for _ in 0..WRITERS {
        // A writer with its own queue each, as replicas of the service have.
        let (writer, _task) = log.writer();
        writing.push(tokio::spawn(async move {
            let mut circle = new_circle();
            for n in 0..EACH {
                let command = if n % 5 == 0 {
                    circle = new_circle();
                    create("football", 20)
                } else {
                    set_capacity(20 + n as i64, None)
                };
                appended(submit(&writer, circle, command).await);
            }
        }));
    }
    for task in writing {
        task.await.unwrap();
    }
    let seen: Vec<u64> = tail
        .await
        .unwrap()
        .iter()
        .map(|e| e.sequence.get())
        .collect();
    assert_eq!(seen, (1..=WRITERS * EACH).collect::<Vec<_>>());
}

/// Reads the log as it grows. A hole would come out as an error.
async fn tail_until(store: EventStore, count: u64) -> Vec<LogEntry> {
    let mut seen: Vec<LogEntry> = Vec::new();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while (seen.len() as u64) < count {
        assert!(
            tokio::time::Instant::now() < deadline,
            "only {} of {count} seen",
            seen.len()
        );
        let next = Sequence::new(seen.len() as u64 + 1);
        seen.extend(store.read_from(next, 7).await.unwrap());
    }
    seen
}
