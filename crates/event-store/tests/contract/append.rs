use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use event_store::{Fresh, Outcome, SubmitError, Writer, WriterOptions};
use shared_domain::{Command, Refusal, Sequence, Version};
use test_support::mysql::Engine;
use test_support::on_every_engine;
use tokio::task::JoinSet;

use crate::support::{
    Log, appended, create, hold_head, new_circle, poll_once, set_capacity, submission, submit,
};

on_every_engine!(
    of_twenty_updates_of_one_version_one_wins,
    updates_without_a_version_all_succeed,
    the_same_submission_again_is_a_repetition,
    a_refusal_leaves_its_neighbours_alone,
    replicas_racing_for_one_circle_leave_no_hole,
    a_full_queue_turns_away_at_once,
    a_writer_tells_figures_of_itself,
    what_was_submitted_is_appended_though_nobody_waits,
    an_append_that_waits_too_long_for_the_head_is_tried_again,
    a_connection_that_is_cut_is_replaced,
    an_id_that_is_not_as_fresh_as_was_said_is_found_out,
    what_a_replica_did_is_seen_by_the_next_append,
    a_replica_that_lags_catches_up_in_the_same_transaction,
);

async fn of_twenty_updates_of_one_version_one_wins(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, _task) = log.writer();
    let id = new_circle();
    appended(submit(&writer, id, create("football", 20)).await);

    let mut racing = JoinSet::new();
    for n in 0..20 {
        let writer = writer.clone();
        racing.spawn(async move { submit(&writer, id, set_capacity(30 + n, Some(1))).await });
    }
    let mut won = 0;
    while let Some(outcome) = racing.join_next().await {
        match outcome.unwrap().unwrap() {
            Outcome::Appended(_) => won += 1,
            other => {
                let present = Version::new(2).unwrap();
                assert_eq!(
                    other,
                    Outcome::Refused(Refusal::VersionMismatch { present })
                );
            }
        }
    }
    assert_eq!(won, 1);
    assert_eq!(log.sequences().await, [1, 2]);
}

async fn updates_without_a_version_all_succeed(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, _task) = log.writer();
    let id = new_circle();
    appended(submit(&writer, id, create("football", 20)).await);
    let mut racing = JoinSet::new();
    for n in 0..20 {
        let writer = writer.clone();
        racing
            .spawn(async move { appended(submit(&writer, id, set_capacity(30 + n, None)).await) });
    }
    racing.join_all().await;
    let version = log.store.load(id).await.unwrap().circle.version();
    assert_eq!(version, Some(Version::new(21).unwrap()));
    assert_eq!(log.sequences().await, (1..=21).collect::<Vec<_>>());
}

async fn the_same_submission_again_is_a_repetition(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, _task) = log.writer();
    let submission = submission(new_circle(), create("football", 20));
    let first = appended(writer.submit(submission.clone()).await);
    // Another replica knows as well.
    let (replica, _replica_task) = log.writer();
    for writer in [&writer, &replica, &writer] {
        let Outcome::Repeated(event) = writer.submit(submission.clone()).await.unwrap() else {
            panic!("not a repetition")
        };
        assert_eq!(event.id, submission.event_id);
        assert_eq!(event.sequence, first.sequence);
    }
    assert_eq!(log.sequences().await, [1]);
}

async fn a_refusal_leaves_its_neighbours_alone(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, _task) = log.writer();
    // While the head is held, what comes after the first forms one batch.
    let mut connection = log.connection().await;
    let held = hold_head(&mut connection).await;
    let first = submission(new_circle(), create("football", 20));
    let batch = [
        submission(new_circle(), create("the batch before", 20)),
        first.clone(),
        // No such circle.
        submission(new_circle(), set_capacity(30, None)),
        // Created twice.
        submission(first.circle_id, create("football", 20)),
        submission(new_circle(), create("tennis", 20)),
        // The same event id.
        first,
    ];
    let mut calls = batch.map(|submission| Box::pin(writer.submit(submission)));
    for call in &mut calls {
        // So that they are queued in their order.
        assert!(!poll_once(call).await);
    }
    held.rollback().await.unwrap();
    let mut calls = calls.into_iter();
    let mut next = async || calls.next().unwrap().await.unwrap();
    assert!(matches!(next().await, Outcome::Appended(_)));
    assert!(matches!(next().await, Outcome::Appended(_)));
    assert_eq!(next().await, Outcome::Refused(Refusal::NotFound));
    assert_eq!(next().await, Outcome::Refused(Refusal::AlreadyExists));
    assert!(matches!(next().await, Outcome::Appended(_)));
    assert!(matches!(next().await, Outcome::Repeated(_)));
    assert_eq!(log.sequences().await, [1, 2, 3]);
    assert_eq!(log.store.head().await.unwrap().get(), 3);

    // A batch without any event moves nothing.
    let refused = submit(&writer, new_circle(), set_capacity(30, None)).await;
    assert_eq!(refused, Ok(Outcome::Refused(Refusal::NotFound)));
    assert_eq!(log.store.head().await.unwrap().get(), 3);
}

async fn replicas_racing_for_one_circle_leave_no_hole(engine: Engine) {
    let log = Log::create(engine).await;
    let id = new_circle();
    let (writer, _task) = log.writer();
    appended(submit(&writer, id, create("football", 20)).await);
    let mut racing = JoinSet::new();
    for replica in 0..3 {
        let (writer, _task) = log.writer();
        racing.spawn(async move {
            for n in 0..20 {
                let capacity = 100 + 100 * replica + n;
                appended(submit(&writer, id, set_capacity(capacity, None)).await);
            }
        });
    }
    racing.join_all().await;
    assert_eq!(log.sequences().await, (1..=61).collect::<Vec<_>>());
    let version = log.store.load(id).await.unwrap().circle.version();
    assert_eq!(version, Some(Version::new(61).unwrap()));
}

async fn a_full_queue_turns_away_at_once(engine: Engine) {
    let log = Log::create(engine).await;
    let options = WriterOptions {
        queue: 1,
        batch: 1,
        ..WriterOptions::default()
    };
    let (writer, _task) = Writer::start(log.store.clone(), options);
    let figures = writer.figures();
    let mut appended = 0;
    // While somebody else holds the head, nothing leaves the queue.
    let mut connection = log.connection().await;
    let held = hold_head(&mut connection).await;

    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let writer = writer.clone();
        calls.spawn(async move { submit(&writer, new_circle(), create("football", 20)).await });
    }
    // At most one is with the database, and one in the queue.
    for _ in 0..48 {
        let answer = calls.join_next().await.unwrap().unwrap();
        assert_eq!(answer, Err(SubmitError::QueueFull));
    }
    held.rollback().await.unwrap();
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(Outcome::Appended(_)) => appended += 1,
            Err(SubmitError::QueueFull) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(figures.refused(), 50 - appended);
    assert_eq!(figures.queue_length(), 0);
}

async fn a_writer_tells_figures_of_itself(engine: Engine) {
    let log = Log::create(engine).await;
    let (tell, told) = std::sync::mpsc::channel();
    let observe = move |batch| tell.send(batch).unwrap();
    let options = WriterOptions::default();
    let (writer, task) = Writer::start_observed(log.store.clone(), options, observe);
    let figures = writer.figures();
    assert_eq!(figures.head(), None);

    let id = new_circle();
    submit(&writer, id, create("football", 20)).await.unwrap();
    submit(&writer, id, set_capacity(30, None)).await.unwrap();
    submit(&writer, new_circle(), set_capacity(30, None))
        .await
        .unwrap();
    let of_memory = (figures.cache_hits(), figures.cache_misses());
    assert_eq!(of_memory, (1, 1));
    assert_eq!(figures.head(), Some(Sequence::new(2)));
    assert_eq!(
        (
            figures.refused(),
            figures.queue_length(),
            figures.failures()
        ),
        (0, 0, 0)
    );
    let batches: Vec<_> = told.try_iter().collect();
    assert_eq!(batches.len(), 3);
    assert!(batches.iter().all(|batch| batch.commands == 1));

    log.cut_other_connections().await;
    submit(&writer, id, set_capacity(40, None)).await.unwrap();
    assert!(figures.failures() > 0);
    // They keep nothing alive.
    drop(writer);
    task.finished().await;
    assert_eq!(figures.head(), Some(Sequence::new(3)));
}

async fn what_was_submitted_is_appended_though_nobody_waits(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, task) = log.writer();
    for _ in 0..10 {
        let mut call = Box::pin(submit(&writer, new_circle(), create("football", 20)));
        // Queued, and dropped, as when a client goes away.
        assert!(!poll_once(&mut call).await);
        drop(call);
    }
    drop(writer);
    task.finished().await;
    assert_eq!(log.sequences().await, (1..=10).collect::<Vec<_>>());
}

async fn an_append_that_waits_too_long_for_the_head_is_tried_again(engine: Engine) {
    let log = Log::create(engine).await;
    let options = WriterOptions {
        patience: Duration::from_secs(60),
        ..WriterOptions::default()
    };
    let (writer, _task) = Writer::start(log.store.clone(), options);
    let mut connection = log.connection().await;
    let held = hold_head(&mut connection).await;
    let call =
        tokio::spawn(async move { submit(&writer, new_circle(), create("football", 20)).await });
    // Longer than the database lets an append wait.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!call.is_finished());
    held.rollback().await.unwrap();
    appended(call.await.unwrap());
    assert_eq!(log.sequences().await, [1]);
}

async fn a_connection_that_is_cut_is_replaced(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, _task) = log.writer();
    let id = new_circle();
    let mut last = appended(submit(&writer, id, create("football", 20)).await);
    for n in 0..5 {
        log.cut_other_connections().await;
        last = appended(submit(&writer, id, set_capacity(30 + n, None)).await);
    }
    assert_eq!(last.circle.version(), Some(Version::new(6).unwrap()));
    assert_eq!(log.sequences().await, [1, 2, 3, 4, 5, 6]);
}

async fn an_id_that_is_not_as_fresh_as_was_said_is_found_out(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, _task) = log.writer();
    let mut first = submission(new_circle(), create("football", 20));
    first.fresh = Fresh {
        event: true,
        circle: true,
    };
    appended(writer.submit(first.clone()).await);
    // Another replica does not have the circle in memory, so the unique keys alone stand in
    // the way.
    let (replica, _replica_task) = log.writer();
    let again = replica.submit(first.clone()).await.unwrap();
    assert!(matches!(again, Outcome::Repeated(_)), "{again:?}");
    let mut other = submission(first.circle_id, create("tennis", 20));
    other.fresh = Fresh {
        event: true,
        circle: true,
    };
    let (replica, _replica_task) = log.writer();
    let refused = replica.submit(other).await.unwrap();
    assert_eq!(refused, Outcome::Refused(Refusal::AlreadyExists));
    assert_eq!(log.sequences().await, [1]);
}

/// One that only looked before it has the head row could lose against a faster one for ever.
async fn a_replica_that_lags_catches_up_in_the_same_transaction(engine: Engine) {
    let log = Log::create(engine).await;
    let (one, _one) = log.writer();
    let batches = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&batches);
    let (other, _other) =
        Writer::start_observed(log.store.clone(), WriterOptions::default(), move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
    let id = new_circle();
    let mut version = 1;
    appended(submit(&other, id, create("football", 3)).await);
    // Behind by more than this it loads the circle first, and tries again.
    for (behind, transactions) in [(1, 1), (100, 1), (101, 2)] {
        for n in 0..behind {
            appended(submit(&one, id, set_capacity(10 + (n + version) % 2, None)).await);
        }
        let before = batches.load(Ordering::Relaxed);
        let last = appended(submit(&other, id, set_capacity(50, None)).await);
        version += behind + 1;
        assert_eq!(last.circle.version(), Some(Version::new(version).unwrap()));
        let took = batches.load(Ordering::Relaxed) - before;
        assert_eq!(took, transactions, "{behind} behind");
    }
}

/// What is in memory must never answer for the log: a circle that was 20 a moment ago, and that
/// another replica has set to 30, is changed by an update to 20.
async fn what_a_replica_did_is_seen_by_the_next_append(engine: Engine) {
    let log = Log::create(engine).await;
    let (one, _one) = log.writer();
    let (other, _other) = log.writer();
    let id = new_circle();
    let mut last = appended(submit(&one, id, create("football", 20)).await);
    let unchanged = submit(&one, id, set_capacity(20, None)).await;
    assert_eq!(unchanged, Ok(Outcome::Unchanged(last.clone())));
    for _ in 0..5 {
        appended(submit(&other, id, set_capacity(30, None)).await);
        last = appended(submit(&one, id, set_capacity(20, None)).await);
    }
    assert_eq!(last.circle.version(), Some(Version::new(11).unwrap()));
    // And what it deleted is deleted.
    let delete = Command::Delete {
        reason: None,
        expected: None,
    };
    appended(submit(&other, id, delete).await);
    let refused = submit(&one, id, set_capacity(20, None)).await;
    assert_eq!(refused, Ok(Outcome::Refused(Refusal::Deleted)));
}
