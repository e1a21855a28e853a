use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event_store::{Outcome, SubmitError, Writer, WriterOptions};
use shared_domain::{CircleId, EventId, Sequence};
use test_support::mysql::Engine;
use test_support::on_every_engine;
use tokio::task::JoinSet;

use crate::support::{Log, create, new_circle, set_capacity, submission};

on_every_engine!(
    a_server_killed_under_load_loses_and_doubles_nothing,
    clients_that_vanish_at_any_moment_leave_whole_events,
);

/// What a client knows about the events that it asked for.
type Acknowledged = BTreeMap<EventId, (CircleId, Sequence)>;

/// Submits until told to stop; what has no certain outcome is submitted again under its id, as a
/// client with a request id does.
async fn client(writer: Writer, stop: Arc<AtomicBool>) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    let mut circle = new_circle();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let command = if n % 4 == 0 {
            circle = new_circle();
            create("football", 20)
        } else {
            set_capacity(20 + n % 1_000, None)
        };
        let submission = submission(circle, command);
        let sequence = loop {
            match writer.submit(submission.clone()).await {
                Ok(Outcome::Appended(stored)) => break stored.sequence,
                Ok(Outcome::Repeated(event)) => break event.sequence,
                Ok(other) => panic!("{other:?}"),
                Err(SubmitError::Unknown | SubmitError::Unreachable) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(other) => panic!("{other}"),
            }
        };
        acknowledged.insert(submission.event_id, (circle, sequence));
    }
    acknowledged
}

async fn a_server_killed_under_load_loses_and_doubles_nothing(engine: Engine) {
    let (server, log) = Log::on_own_server(engine).await;
    let store = log.store.clone();
    // So short that clients see unknown outcomes, and have to find out.
    let options = WriterOptions {
        patience: Duration::from_millis(300),
        ..Default::default()
    };
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for replica in 0..2 {
        let (writer, _task) = Writer::start(store.clone(), options.clone());
        for _ in 0..4 + replica {
            clients.spawn(client(writer.clone(), Arc::clone(&stop)));
        }
    }
    for round in 0..4_u64 {
        tokio::time::sleep(Duration::from_millis(150 + round * 90)).await;
        tokio::task::block_in_place(|| {
            server.kill();
            server.restart();
        });
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Acknowledged::new();
    for one in clients.join_all().await {
        acknowledged.extend(one);
    }

    // A hole would come out as an error.
    let entries = store.read_from(Sequence::ZERO, 1_000_000).await.unwrap();
    let found: Acknowledged = entries
        .iter()
        .map(|entry| (entry.id, (entry.circle_id, entry.sequence)))
        .collect();
    assert_eq!(found.len(), entries.len(), "an event is there twice");
    assert!(found.len() > 100, "only {} events", found.len());
    assert_eq!(found, acknowledged);
    assert_eq!(store.head().await.unwrap().get(), entries.len() as u64);
    for (circle, _) in acknowledged.values().take(50) {
        // Folding checks that the versions have no hole.
        store.load(*circle).await.unwrap();
    }
}

async fn clients_that_vanish_at_any_moment_leave_whole_events(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, task) = log.writer();
    let mut asked = Vec::new();
    for n in 0..200_u64 {
        let submission = submission(new_circle(), create("football", 20));
        let call = writer.submit(submission.clone());
        let patience = Duration::from_micros((n * 61) % 3_000);
        let _ = tokio::time::timeout(patience, call).await;
        asked.push(submission);
    }
    // Whatever each client missed, the same request again has the one answer.
    for submission in asked {
        match writer.submit(submission.clone()).await.unwrap() {
            Outcome::Appended(_) | Outcome::Repeated(_) => {}
            other => panic!("{other:?}"),
        }
    }
    drop(writer);
    task.finished().await;
    assert_eq!(log.sequences().await, (1..=200).collect::<Vec<_>>());
}
