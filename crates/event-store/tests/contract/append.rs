use event_store::{Outcome, SubmitError, Writer, WriterOptions};
use shared_domain::{Refusal, Version};
use sqlx::Connection as _;
use test_support::mysql::Engine;
use test_support::on_every_engine;

use crate::support::{Log, appended, create, new_circle, set_capacity, settle, submission};

on_every_engine!(
    of_twenty_updates_of_one_version_one_wins,
    updates_without_a_version_all_succeed,
    the_same_submission_again_is_a_repetition,
    a_refusal_leaves_its_neighbours_alone,
    replicas_racing_for_one_circle_leave_no_hole,
    a_full_queue_turns_away_at_once,
    what_was_submitted_is_appended_though_nobody_waits,
);

async fn of_twenty_updates_of_one_version_one_wins(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, _task) = log.writer();
    let id = new_circle();
    let basis = appended(settle(&log.store, &writer, id, create("football", 20)).await);

    let racing: Vec<_> = (0..20)
        .map(|n| {
            let (writer, basis) = (writer.clone(), basis.clone());
            let submission = submission(id, set_capacity(30 + n, Some(1)), basis);
            tokio::spawn(async move { writer.submit(submission).await.unwrap() })
        })
        .collect();
    let mut won = 0;
    for racer in racing {
        match racer.await.unwrap() {
            Outcome::Appended(_) => won += 1,
            Outcome::Refused(Refusal::VersionMismatch { present }) => {
                assert_eq!(present, Version::new(2).unwrap());
            }
            Outcome::Stale => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(log.sequences().await, [1, 2]);
}

async fn updates_without_a_version_all_succeed(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, _task) = log.writer();
    let id = new_circle();
    appended(settle(&log.store, &writer, id, create("football", 20)).await);
    let racing: Vec<_> = (0..20)
        .map(|n| {
            let (store, writer) = (log.store.clone(), writer.clone());
            tokio::spawn(async move {
                appended(settle(&store, &writer, id, set_capacity(30 + n, None)).await)
            })
        })
        .collect();
    for racer in racing {
        racer.await.unwrap();
    }
    let version = log.store.load(id).await.unwrap().circle.version();
    assert_eq!(version, Some(Version::new(21).unwrap()));
    assert_eq!(log.sequences().await, (1..=21).collect::<Vec<_>>());
}

async fn the_same_submission_again_is_a_repetition(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, _task) = log.writer();
    let submission = submission(new_circle(), create("football", 20), Default::default());
    let first = appended(writer.submit(submission.clone()).await);
    for _ in 0..3 {
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
    let first = submission(new_circle(), create("football", 20), Default::default());
    let batch = [
        first.clone(),
        // No such circle.
        submission(new_circle(), set_capacity(30, None), Default::default()),
        // Created twice.
        submission(first.circle_id, create("football", 20), Default::default()),
        submission(new_circle(), create("tennis", 20), Default::default()),
        // The same event id.
        first,
    ];
    let outcomes = log.store.append(&batch).await.unwrap();
    assert!(matches!(outcomes[0], Outcome::Appended(_)));
    assert_eq!(outcomes[1], Outcome::Refused(Refusal::NotFound));
    assert_eq!(outcomes[2], Outcome::Refused(Refusal::AlreadyExists));
    assert!(matches!(outcomes[3], Outcome::Appended(_)));
    assert!(matches!(outcomes[4], Outcome::Repeated(_)));
    assert_eq!(log.sequences().await, [1, 2]);
    assert_eq!(log.store.head().await.unwrap().get(), 2);

    // A batch without any event moves nothing.
    log.store.append(&batch[1..2]).await.unwrap();
    assert_eq!(log.store.head().await.unwrap().get(), 2);
}

async fn replicas_racing_for_one_circle_leave_no_hole(engine: Engine) {
    let log = Log::create(engine).await;
    let id = new_circle();
    let (writer, _task) = log.writer();
    appended(settle(&log.store, &writer, id, create("football", 20)).await);
    let racing: Vec<_> = (0..3)
        .map(|replica| {
            let (writer, _task) = log.writer();
            let store = log.store.clone();
            tokio::spawn(async move {
                for n in 0..20 {
                    let capacity = 100 + 100 * replica + n;
                    appended(settle(&store, &writer, id, set_capacity(capacity, None)).await);
                }
            })
        })
        .collect();
    for racer in racing {
        racer.await.unwrap();
    }
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
    // While somebody else holds the head, nothing leaves the queue.
    let mut connection = log.connection().await;
    let mut held = connection.begin().await.unwrap();
    sqlx::query("SELECT last_sequence FROM log_head WHERE id = 1 FOR UPDATE")
        .fetch_one(&mut *held)
        .await
        .unwrap();

    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let writer = writer.clone();
        let submission = submission(new_circle(), create("football", 20), Default::default());
        calls.spawn(async move { writer.submit(submission).await });
    }
    // At most one is with the database, and one in the queue.
    for _ in 0..48 {
        let answer = calls.join_next().await.unwrap().unwrap();
        assert_eq!(answer, Err(SubmitError::QueueFull));
    }
    held.rollback().await.unwrap();
    while let Some(answer) = calls.join_next().await {
        match answer.unwrap() {
            Ok(Outcome::Appended(_)) | Err(SubmitError::QueueFull) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn what_was_submitted_is_appended_though_nobody_waits(engine: Engine) {
    let log = Log::create(engine).await;
    let (writer, task) = log.writer();
    for _ in 0..10 {
        let submission = submission(new_circle(), create("football", 20), Default::default());
        let mut call = Box::pin(writer.submit(submission));
        // Polled once, so that it is queued, and dropped, as when a client goes away.
        let polled = std::future::poll_fn(|context| {
            std::task::Poll::Ready(call.as_mut().poll(context).is_ready())
        });
        assert!(!polled.await);
        drop(call);
    }
    drop(writer);
    task.finished().await;
    assert_eq!(log.sequences().await, (1..=10).collect::<Vec<_>>());
}
