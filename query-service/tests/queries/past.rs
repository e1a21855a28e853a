//! What happened to circles, and how they were.

use circles_proto::circles::v1::get_circle_as_of_request::Moment;
use circles_proto::circles::v1::{
    Circle, CircleChangeType, CircleHistoryEntry, GetCircleAsOfRequest, GetCircleHistoryRequest,
};
use prost_types::Timestamp;
use test_support::redis::Engine;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::failures::{invalid_fields, why};
use crate::service::{Client, soon};
use crate::world::{Shown, batch_get, get, occurred_at, shown};

fn history(id: &str, page_size: i32, descending: bool) -> GetCircleHistoryRequest {
    GetCircleHistoryRequest {
        circle_id: id.to_owned(),
        page_size,
        descending,
        ..GetCircleHistoryRequest::default()
    }
}

fn as_of(id: &str, moment: Moment) -> GetCircleAsOfRequest {
    GetCircleAsOfRequest {
        circle_id: id.to_owned(),
        moment: Some(moment),
        min_sequence: None,
    }
}

fn time(sequence: i64, nanos: i64) -> Timestamp {
    let time = occurred_at(sequence) + chrono::TimeDelta::nanoseconds(nanos);
    Timestamp {
        seconds: time.timestamp(),
        nanos: time.timestamp_subsec_nanos().cast_signed(),
    }
}

/// A circle that was created, changed three times and deleted, beside another.
async fn with_a_past(engine: Engine) -> (Shown, String) {
    let mut shown = shown(engine).await;
    let id = shown.world.create("football", 20).await;
    shown.world.create("tennis", 4).await;
    shown.world.update(&id, "football", 30).await;
    shown.world.update(&id, "handball", 30).await;
    shown.world.update(&id, "baseball", 9).await;
    shown.world.delete(&id).await;
    (shown, id)
}

async fn walk(
    client: &mut Client,
    mut request: GetCircleHistoryRequest,
) -> Vec<CircleHistoryEntry> {
    let mut entries = Vec::new();
    loop {
        let page = soon(client.get_circle_history(request.clone())).await;
        let page = page.unwrap().into_inner();
        assert_eq!(page.sequence, 6);
        assert!(page.entries.len() <= usize::try_from(request.page_size).unwrap());
        entries.extend(page.entries);
        if page.next_page_token.is_empty() {
            return entries;
        }
        request.page_token = page.next_page_token;
    }
}

pub(crate) async fn a_history_tells_what_changed(engine: Engine) {
    let (mut shown, id) = with_a_past(engine).await;
    let entry = |version, sequence, kind: CircleChangeType| CircleHistoryEntry {
        version,
        r#type: kind.into(),
        occurred_at: Some(time(sequence, 0)),
        sequence,
        actor: match kind {
            CircleChangeType::Updated => "anna".to_owned(),
            _ => String::new(),
        },
        ..CircleHistoryEntry::default()
    };
    let name = |name: &str| Some(name.to_owned());
    let mut expected = vec![
        CircleHistoryEntry {
            name_after: name("football"),
            capacity_after: Some(20),
            ..entry(1, 1, CircleChangeType::Created)
        },
        CircleHistoryEntry {
            capacity_before: Some(20),
            capacity_after: Some(30),
            ..entry(2, 3, CircleChangeType::Updated)
        },
        CircleHistoryEntry {
            name_before: name("football"),
            name_after: name("handball"),
            ..entry(3, 4, CircleChangeType::Updated)
        },
        CircleHistoryEntry {
            name_before: name("handball"),
            name_after: name("baseball"),
            capacity_before: Some(30),
            capacity_after: Some(9),
            ..entry(4, 5, CircleChangeType::Updated)
        },
        CircleHistoryEntry {
            name_before: name("baseball"),
            capacity_before: Some(9),
            reason: "too few".to_owned(),
            ..entry(5, 6, CircleChangeType::Deleted)
        },
    ];
    for descending in [false, true] {
        for size in [1, 2, 5, 1_000] {
            let entries = walk(&mut shown.client, history(&id, size, descending)).await;
            assert_eq!(entries, expected);
        }
        let page = shown
            .client
            .get_circle_history(history(&id, 0, descending))
            .await;
        assert_eq!(page.unwrap().into_inner().entries, expected);
        expected.reverse();
    }
    let nobody = Uuid::now_v7().to_string();
    let answer = shown
        .client
        .get_circle_history(history(&nobody, 5, false))
        .await;
    assert_eq!(why(&answer.unwrap_err()), not_found("CIRCLE_NOT_FOUND"));
}

fn not_found(reason: &str) -> (Code, String) {
    (Code::NotFound, reason.to_owned())
}

pub(crate) async fn a_token_is_good_for_its_history_only(engine: Engine) {
    let (mut shown, id) = with_a_past(engine).await;
    let request = history(&id, 2, false);
    let page = shown.client.get_circle_history(request.clone()).await;
    let token = page.unwrap().into_inner().next_page_token;
    let other = Uuid::now_v7().to_string();
    for mut wrong in [history(&other, 2, false), history(&id, 2, true)] {
        wrong.page_token.clone_from(&token);
        let answer = shown.client.get_circle_history(wrong).await;
        assert_eq!(invalid_fields(answer), ["page_token"]);
    }
    let mut larger = history(&id, 50, false);
    larger.page_token = token;
    let page = shown.client.get_circle_history(larger).await.unwrap();
    assert_eq!(page.into_inner().entries.len(), 3);
}

async fn circle_as_of(shown: &mut Shown, id: &str, moment: Moment) -> Result<Circle, Status> {
    let answer = soon(shown.client.get_circle_as_of(as_of(id, moment))).await?;
    let answer = answer.into_inner();
    assert_eq!(answer.sequence, 6);
    Ok(answer.circle.unwrap())
}

pub(crate) async fn a_circle_is_read_as_it_was(engine: Engine) {
    let (mut shown, id) = with_a_past(engine).await;
    let circle = |name: &str, capacity, version| Circle {
        circle_id: id.clone(),
        name: name.to_owned(),
        capacity,
        version,
    };
    let states = [
        (1, circle("football", 20, 1)),
        (3, circle("football", 30, 2)),
        (4, circle("handball", 30, 3)),
        (5, circle("baseball", 9, 4)),
    ];
    for (sequence, expected) in &states {
        let by_version = Moment::Version(expected.version);
        let found = circle_as_of(&mut shown, &id, by_version).await;
        assert_eq!(found.unwrap(), *expected);
        // Until the next event.
        for nanos in [0, 1, 59_999_999_999] {
            let by_time = Moment::Time(time(*sequence, nanos));
            let found = circle_as_of(&mut shown, &id, by_time).await;
            assert_eq!(found.unwrap(), *expected);
        }
    }
    let too_early = [i64::MIN, -62_135_596_800, 0];
    let too_late = [253_402_300_799, i64::MAX];
    let mut gone: Vec<Moment> = [too_early.as_slice(), &too_late]
        .concat()
        .into_iter()
        .map(|seconds| Moment::Time(Timestamp { seconds, nanos: 0 }))
        .collect();
    gone.push(Moment::Time(time(1, -1)));
    gone.push(Moment::Time(time(6, 0)));
    gone.push(Moment::Version(5));
    for moment in gone {
        let answer = circle_as_of(&mut shown, &id, moment).await;
        assert_eq!(why(&answer.unwrap_err()), not_found("CIRCLE_NOT_FOUND"));
    }
    for version in [6, i32::MAX] {
        let answer = circle_as_of(&mut shown, &id, Moment::Version(version)).await;
        assert_eq!(why(&answer.unwrap_err()), not_found("VERSION_NOT_FOUND"));
    }
    let nobody = Uuid::now_v7().to_string();
    let answer = circle_as_of(&mut shown, &nobody, Moment::Version(1)).await;
    assert_eq!(why(&answer.unwrap_err()), not_found("CIRCLE_NOT_FOUND"));
}

pub(crate) async fn the_past_is_waited_for_too(engine: Engine) {
    let (mut shown, id) = with_a_past(engine).await;
    let mut client = shown.client.clone();
    let mut request = history(&id, 0, false);
    request.min_sequence = Some(7);
    let mut moment = as_of(&id, Moment::Version(1));
    moment.min_sequence = Some(7);
    let waiting = tokio::spawn(async move {
        let history = client.get_circle_history(request).await;
        let as_of = client.get_circle_as_of(moment).await;
        (
            history.unwrap().into_inner().sequence,
            as_of.unwrap().into_inner().sequence,
        )
    });
    soon(shown.client.get_circle(get(&id))).await.unwrap_err();
    assert!(!waiting.is_finished());
    shown.world.create("chess", 20).await;
    assert_eq!(soon(waiting).await.unwrap(), (7, 7));
}

pub(crate) async fn a_parked_circle_is_not_told_of(engine: Engine) {
    let mut shown = shown(engine).await;
    let football = shown.world.create("football", 20).await;
    let tennis = shown.world.create("tennis", 4).await;
    shown.world.park(&football).await;
    let client = &mut shown.client;
    let failures = [
        client.get_circle(get(&football)).await.unwrap_err(),
        client
            .batch_get_circles(batch_get([&tennis, &football]))
            .await
            .unwrap_err(),
        client
            .get_circle_history(history(&football, 0, false))
            .await
            .unwrap_err(),
        client
            .get_circle_as_of(as_of(&football, Moment::Version(1)))
            .await
            .unwrap_err(),
    ];
    for status in failures {
        let reason = "CIRCLE_PARKED".to_owned();
        assert_eq!(why(&status), (Code::FailedPrecondition, reason));
        let metadata = status.get_details_error_info().unwrap().metadata;
        assert_eq!(metadata["circle_id"], football);
        assert_eq!(metadata["sequence"], "3");
    }
    let answer = client.get_circle(get(&tennis)).await.unwrap();
    assert_eq!(answer.into_inner().sequence, 3);
    let request = crate::world::list(circles_proto::circles::v1::CircleOrder::NameAsc, 10);
    let page = client.list_circles(Request::new(request)).await.unwrap();
    let expected = [&football, &tennis].map(|id| shown.world.circle(id));
    assert_eq!(page.into_inner().circles, expected);
}
