//! Many calls at the same time, on two instances of the service.

use test_support::mysql::Engine;
use test_support::on_every_engine;
use tokio::task::JoinSet;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::failures::why;
use crate::log::fresh;
use crate::service::{Answer, Client, create, new_id, resize, soon};

on_every_engine!(
    of_twenty_updates_of_one_version_one_wins,
    updates_without_a_version_all_succeed,
    creations_get_sequences_without_a_hole,
    of_twenty_creations_of_one_id_one_wins,
    one_request_sent_ten_times_at_once_is_one_event,
);

/// Whose turn it is to send call `n`.
fn of(clients: &[Client; 2], n: i32) -> Client {
    clients[usize::from(n % 2 == 1)].clone()
}

async fn of_twenty_updates_of_one_version_one_wins(engine: Engine) {
    let (log, service, mut client) = fresh(engine).await;
    let replica = log.service().await;
    let clients = [service.client().await, replica.client().await];
    let made = Answer::from(client.create_circle(create("football", 20)).await.unwrap());

    let mut racing = JoinSet::new();
    for n in 0..20 {
        let (mut client, mut update) = (of(&clients, n), resize(&made.circle_id, 30 + n));
        update.version = Some(1);
        racing.spawn(async move { (30 + n, client.update_circle(update).await) });
    }
    let mut winners = Vec::new();
    for (capacity, answer) in soon(racing.join_all()).await {
        match answer {
            Ok(answer) => {
                let answer = Answer::from(answer);
                assert_eq!((answer.version, answer.sequence), (2, 2));
                winners.push(capacity);
            }
            Err(status) => {
                assert_eq!(why(&status), (Code::Aborted, "VERSION_MISMATCH".to_owned()));
                let info = status.get_details_error_info().unwrap();
                assert_eq!(info.metadata["present_version"], "2");
            }
        }
    }
    let [winner] = winners[..] else {
        panic!("{winners:?}")
    };
    let events = log.events().await;
    assert_eq!(events.len(), 2);
    let payload: serde_json::Value = serde_json::from_str(&events[1].payload).unwrap();
    assert_eq!(payload["capacity"], winner);
}

async fn updates_without_a_version_all_succeed(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let made = Answer::from(client.create_circle(create("football", 20)).await.unwrap());
    let mut racing = JoinSet::new();
    for n in 0..20 {
        let (mut client, update) = (client.clone(), resize(&made.circle_id, 30 + n));
        racing.spawn(async move { client.update_circle(update).await.unwrap() });
    }
    let answers = soon(racing.join_all()).await;
    let mut versions: Vec<_> = answers
        .into_iter()
        .map(|answer| Answer::from(answer).version)
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=21).collect::<Vec<_>>());
    let stored: Vec<_> = log.events().await.iter().map(|e| e.version).collect();
    assert_eq!(stored, (1..=21).collect::<Vec<_>>());
}

async fn creations_get_sequences_without_a_hole(engine: Engine) {
    let (log, service, _) = fresh(engine).await;
    let replica = log.service().await;
    let clients = [service.client().await, replica.client().await];
    let mut racing = JoinSet::new();
    for n in 0..100 {
        let mut client = of(&clients, n);
        let request = create(&format!("circle {n}"), 20);
        racing.spawn(async move { client.create_circle(request).await.unwrap() });
    }
    let answers = soon(racing.join_all()).await;
    let mut answers: Vec<_> = answers.into_iter().map(Answer::from).collect();
    answers.sort_unstable_by_key(|answer| answer.sequence);
    // Every answer tells where its event stands.
    let stored = log.events().await;
    assert_eq!(stored.len(), answers.len());
    for (event, answer) in stored.iter().zip(&answers) {
        assert_eq!(i64::try_from(event.sequence).unwrap(), answer.sequence);
        assert_eq!(
            (&event.circle_id, event.version),
            (&answer.circle_id, answer.version)
        );
    }
}

async fn of_twenty_creations_of_one_id_one_wins(engine: Engine) {
    let (log, service, _) = fresh(engine).await;
    let replica = log.service().await;
    let clients = [service.client().await, replica.client().await];
    let id = new_id();
    let mut racing = JoinSet::new();
    for n in 0..20 {
        let (mut client, mut request) = (of(&clients, n), create("football", 20));
        request.circle_id = Some(id.clone());
        racing.spawn(async move { client.create_circle(request).await });
    }
    let answers = soon(racing.join_all()).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 19));
    for answer in lost {
        let used = (Code::AlreadyExists, "CIRCLE_ID_USED".to_owned());
        assert_eq!(why(&answer.unwrap_err()), used);
    }
    assert_eq!(log.events().await.len(), 1);
}

async fn one_request_sent_ten_times_at_once_is_one_event(engine: Engine) {
    let (log, service, mut client) = fresh(engine).await;
    let replica = log.service().await;
    let clients = [service.client().await, replica.client().await];
    let made = Answer::from(client.create_circle(create("football", 20)).await.unwrap());

    let mut creation = create("tennis", 4);
    creation.request_id = Some(new_id());
    let mut versioned = resize(&made.circle_id, 30);
    (versioned.request_id, versioned.version) = (Some(new_id()), Some(1));
    let mut unversioned = resize(&made.circle_id, 40);
    unversioned.request_id = Some(new_id());

    let mut racing = JoinSet::new();
    for n in 0..10 {
        let (mut client, request) = (of(&clients, n), creation.clone());
        racing.spawn(async move { client.create_circle(request).await.unwrap().into() });
    }
    all_equal(soon(racing.join_all()).await);
    for update in [versioned, unversioned] {
        let mut racing = JoinSet::new();
        for n in 0..10 {
            let (mut client, update) = (of(&clients, n), update.clone());
            racing.spawn(async move { client.update_circle(update).await.unwrap().into() });
        }
        all_equal(soon(racing.join_all()).await);
    }
    assert_eq!(log.events().await.len(), 4);
}

fn all_equal(answers: Vec<Answer>) {
    assert_eq!(answers, vec![answers[0].clone(); 10]);
}
