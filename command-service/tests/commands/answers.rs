//! One client, one call after the other.

use test_support::mysql::Engine;
use test_support::on_every_engine;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::failures::{refused, why};
use crate::log::fresh;
use crate::service::{Answer, create, delete, new_id, rename, resize};

on_every_engine!(
    every_command_answers_with_version_and_sequence,
    a_chosen_id_is_the_circles_id_and_can_be_used_once,
    a_circle_that_is_not_there_is_not_found,
    a_deleted_circle_takes_no_command,
    another_version_is_answered_with_the_present_one,
    an_update_that_changes_nothing_makes_no_event,
);

async fn every_command_answers_with_version_and_sequence(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let football = Answer::from(client.create_circle(create("football", 20)).await.unwrap());
    assert_eq!((football.version, football.sequence), (1, 1));
    let tennis = Answer::from(client.create_circle(create("tennis", 4)).await.unwrap());
    assert_eq!((tennis.version, tennis.sequence), (1, 2));
    assert_ne!(football.circle_id, tennis.circle_id);
    // Made here: a UUID of version 7.
    let id = uuid::Uuid::parse_str(&football.circle_id).unwrap();
    assert_eq!(
        (id.get_version_num(), id.to_string()),
        (7, football.circle_id)
    );

    let id = id.to_string();
    let mut both = rename(&id, "baseball");
    (both.capacity, both.version) = (Some(40), Some(2));
    let mut last = delete(&id);
    (last.reason, last.version) = (Some("no members".to_owned()), Some(4));
    let answers = [
        Answer::from(client.update_circle(resize(&id, 30)).await.unwrap()),
        Answer::from(client.update_circle(both).await.unwrap()),
        Answer::from(client.update_circle(rename(&id, "softball")).await.unwrap()),
        Answer::from(client.delete_circle(last).await.unwrap()),
    ];
    for (answer, n) in answers.into_iter().zip(0..) {
        let expected = Answer {
            circle_id: id.clone(),
            version: 2 + n,
            sequence: 3 + i64::from(n),
        };
        assert_eq!(answer, expected);
    }
    let deleted = client.delete_circle(delete(&tennis.circle_id)).await;
    assert_eq!(Answer::from(deleted.unwrap()).sequence, 7);
    assert_eq!(log.events().await.len(), 7);
}

async fn a_chosen_id_is_the_circles_id_and_can_be_used_once(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let mut request = create("football", 20);
    request.circle_id = Some(new_id());
    let made = Answer::from(client.create_circle(request.clone()).await.unwrap());
    assert_eq!(Some(&made.circle_id), request.circle_id.as_ref());

    let used = (Code::AlreadyExists, "CIRCLE_ID_USED".to_owned());
    assert_eq!(refused(client.create_circle(request.clone()).await), used);
    client.delete_circle(delete(&made.circle_id)).await.unwrap();
    // For good.
    assert_eq!(refused(client.create_circle(request).await), used);
    assert_eq!(log.events().await.len(), 2);
}

async fn a_circle_that_is_not_there_is_not_found(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let missing = (Code::NotFound, "CIRCLE_NOT_FOUND".to_owned());
    let id = new_id();
    let mut versioned = resize(&id, 30);
    versioned.version = Some(1);
    assert_eq!(
        refused(client.update_circle(resize(&id, 30)).await),
        missing
    );
    assert_eq!(refused(client.update_circle(versioned).await), missing);
    assert_eq!(refused(client.delete_circle(delete(&id)).await), missing);
    assert_eq!(log.events().await, []);
}

async fn a_deleted_circle_takes_no_command(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let made = Answer::from(client.create_circle(create("football", 20)).await.unwrap());
    let id = made.circle_id;
    client.delete_circle(delete(&id)).await.unwrap();

    let deleted = (Code::FailedPrecondition, "CIRCLE_DELETED".to_owned());
    // What it was before, what it was not, and whatever version.
    for request in [resize(&id, 20), resize(&id, 30), rename(&id, "tennis")] {
        for version in [None, Some(1), Some(2)] {
            let mut request = request.clone();
            request.version = version;
            assert_eq!(refused(client.update_circle(request).await), deleted);
        }
    }
    assert_eq!(refused(client.delete_circle(delete(&id)).await), deleted);
    assert_eq!(log.events().await.len(), 2);
}

async fn another_version_is_answered_with_the_present_one(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let made = Answer::from(client.create_circle(create("football", 20)).await.unwrap());
    let id = made.circle_id;
    client.update_circle(resize(&id, 30)).await.unwrap();
    client.update_circle(resize(&id, 40)).await.unwrap();

    for version in [1, 2, 4, i32::MAX] {
        let mut update = resize(&id, 50);
        update.version = Some(version);
        let mut delete = delete(&id);
        delete.version = Some(version);
        for status in [
            client.update_circle(update).await.unwrap_err(),
            client.delete_circle(delete).await.unwrap_err(),
        ] {
            assert_eq!(why(&status), (Code::Aborted, "VERSION_MISMATCH".to_owned()));
            let info = status.get_details_error_info().unwrap();
            assert_eq!(info.metadata["present_version"], "3");
            assert!(status.message().contains('3'), "{}", status.message());
        }
    }
    assert_eq!(log.events().await.len(), 3);
}

async fn an_update_that_changes_nothing_makes_no_event(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let made = Answer::from(client.create_circle(create("football", 20)).await.unwrap());
    let id = made.circle_id;
    let changed = Answer::from(client.update_circle(resize(&id, 30)).await.unwrap());
    client.create_circle(create("tennis", 4)).await.unwrap();

    let mut both = rename(&id, "  football ");
    (both.capacity, both.version) = (Some(30), Some(2));
    for same in [rename(&id, "football"), resize(&id, 30), both] {
        assert_eq!(
            Answer::from(client.update_circle(same).await.unwrap()),
            changed
        );
    }
    assert_eq!(log.events().await.len(), 3);
    // Half of it is new: the other half is not in the event.
    let mut half = rename(&id, "football");
    half.capacity = Some(31);
    let answer = Answer::from(client.update_circle(half).await.unwrap());
    assert_eq!((answer.version, answer.sequence), (3, 4));
    let payload = &log.events().await[3].payload;
    assert!(!payload.contains("football"), "{payload}");
}
