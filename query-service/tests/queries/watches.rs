//! Watching changes.

use std::collections::BTreeMap;
use std::time::Duration;

use circles_proto::circles::v1::watch_circles_response::Event;
use circles_proto::circles::v1::{
    Circle, CircleChange, CircleChangeType, CircleOrder, WatchCirclesRequest, WatchCirclesResponse,
};
use query_service::config::Config;
use test_support::redis::{Engine, RedisDatabase, RedisServer};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::failures::{assert_unavailable, why};
use crate::service::{Client, Service, soon};
use crate::world::{World, list, shown, shown_with};

type Watch = Streaming<WatchCirclesResponse>;

fn request(from: Option<i64>) -> WatchCirclesRequest {
    WatchCirclesRequest {
        from_sequence: from,
        circle_ids: Vec::new(),
    }
}

/// A watch, and where it begins.
async fn watch(client: &mut Client, request: WatchCirclesRequest) -> (Watch, i64) {
    let mut watch = soon(client.watch_circles(request))
        .await
        .unwrap()
        .into_inner();
    match next(&mut watch).await {
        Event::Progress(progress) => (watch, progress.sequence),
        Event::Change(change) => panic!("it does not say where it begins: {change:?}"),
    }
}

async fn next(watch: &mut Watch) -> Event {
    let message = soon(watch.message()).await.unwrap().unwrap();
    message.event.unwrap()
}

async fn next_change(watch: &mut Watch) -> CircleChange {
    loop {
        if let Event::Change(change) = next(watch).await {
            return change;
        }
    }
}

async fn end(watch: &mut Watch) -> Status {
    loop {
        if let Err(status) = soon(watch.message()).await {
            return status;
        }
    }
}

fn change(sequence: i64, kind: CircleChangeType, id: &str, circle: Option<Circle>) -> CircleChange {
    CircleChange {
        sequence,
        r#type: kind.into(),
        circle_id: id.to_owned(),
        circle,
    }
}

pub(crate) async fn a_watch_tells_changes_as_they_come(engine: Engine) {
    let mut shown = shown(engine).await;
    let tennis = shown.world.create("tennis", 4).await;
    let as_created = shown.world.circle(&tennis);
    let (mut live, begin) = watch(&mut shown.client, request(None)).await;
    assert_eq!(begin, 1);
    let (mut all, begin) = watch(&mut shown.client, request(Some(0))).await;
    assert_eq!(begin, 0);
    let first = change(1, CircleChangeType::Created, &tennis, Some(as_created));
    assert_eq!(next_change(&mut all).await, first);

    let mut football = String::new();
    for step in 2..=4 {
        let kind = match step {
            2 => {
                football = shown.world.create("football", 20).await;
                CircleChangeType::Created
            }
            3 => {
                shown.world.update(&football, "handball", 9).await;
                CircleChangeType::Updated
            }
            _ => {
                shown.world.delete(&football).await;
                CircleChangeType::Deleted
            }
        };
        let circle = (step < 4).then(|| shown.world.circle(&football));
        let expected = change(step, kind, &football, circle);
        assert_eq!(next_change(&mut live).await, expected);
        assert_eq!(next_change(&mut all).await, expected);
    }

    let only = WatchCirclesRequest {
        from_sequence: Some(0),
        circle_ids: vec![tennis.clone(), tennis.clone()],
    };
    let (mut some, _) = watch(&mut shown.client, only).await;
    assert_eq!(next_change(&mut some).await, first);
    shown.world.create("chess", 4).await;
    shown.world.update(&tennis, "tennis", 5).await;
    let circle = Some(shown.world.circle(&tennis));
    let expected = change(6, CircleChangeType::Updated, &tennis, circle);
    assert_eq!(next_change(&mut some).await, expected);
}

/// The read model showed something else than the log says.
pub(crate) async fn a_watch_tells_corrections(engine: Engine) {
    let mut shown = shown(engine).await;
    let tennis = shown.world.create("tennis", 4).await;
    let chess = shown.world.create("chess", 5).await;
    shown.world.delete(&chess).await;
    let (mut watch, begin) = watch(&mut shown.client, request(None)).await;
    assert_eq!(begin, 3);
    let document = format!("circle:{tennis}");
    shown.redis.command(&["DEL", &document]);
    shown.world.repair(&tennis).await;
    let kind = CircleChangeType::Corrected;
    let circle = Some(shown.world.circle(&tennis));
    let expected = change(3, kind, &tennis, circle);
    assert_eq!(next_change(&mut watch).await, expected);

    let wrong = format!(r#"{{"id":"{chess}","name":"chess","capacity":5,"version":2}}"#);
    let document = format!("circle:{chess}");
    shown.redis.command(&["SET", &document, &wrong]);
    shown.world.repair(&chess).await;
    let expected = change(3, kind, &chess, None);
    assert_eq!(next_change(&mut watch).await, expected);
}

pub(crate) async fn a_copy_is_kept_by_a_list_and_a_watch(engine: Engine) {
    let mut shown = shown(engine).await;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(shown.world.create("chess", 3 + n).await);
    }
    let page = soon(shown.client.list_circles(list(CircleOrder::NameAsc, 1_000))).await;
    let page = page.unwrap().into_inner();
    let mut copy: BTreeMap<String, Circle> = BTreeMap::new();
    for circle in page.circles {
        copy.insert(circle.circle_id.clone(), circle);
    }
    // Between the two.
    shown.world.update(&ids[0], "go", 3).await;
    shown.world.delete(&ids[1]).await;
    let (mut watch, _) = watch(&mut shown.client, request(Some(page.sequence))).await;
    for id in &ids[2..10] {
        shown.world.update(id, "go", 50).await;
        shown.world.create("new", 4).await;
    }
    let mut sequence = page.sequence;
    while sequence < shown.world.sequence() {
        let change = next_change(&mut watch).await;
        assert_eq!(change.sequence, sequence + 1);
        sequence = change.sequence;
        match change.circle {
            Some(circle) => drop(copy.insert(change.circle_id, circle)),
            None => drop(copy.remove(&change.circle_id)),
        }
    }
    let mut expected = shown.world.list(CircleOrder::NameAsc, &Default::default());
    expected.sort_by(|one, other| one.circle_id.cmp(&other.circle_id));
    assert_eq!(copy.into_values().collect::<Vec<_>>(), expected);
}

pub(crate) async fn a_silent_watch_tells_its_progress(engine: Engine) {
    let short = Duration::from_millis(50);
    let mut shown = shown_with(engine, |config| config.watch.progress = short).await;
    let (mut watch, begin) = watch(&mut shown.client, request(Some(3))).await;
    assert_eq!(begin, 3);
    for step in 1..=5 {
        shown.world.create("chess", 4).await;
        if step > 3 {
            assert_eq!(next_change(&mut watch).await.sequence, step);
        }
    }
    let Event::Progress(progress) = next(&mut watch).await else {
        panic!("no progress")
    };
    assert_eq!(progress.sequence, 5);
}

pub(crate) async fn what_is_not_kept_is_out_of_range(engine: Engine) {
    let mut shown = shown(engine).await;
    shown.world.keep(10);
    for _ in 0..40 {
        shown.world.create("chess", 4).await;
    }
    let answer = soon(shown.client.watch_circles(request(Some(5)))).await;
    let status = answer.unwrap_err();
    let reason = "CHANGES_NOT_KEPT".to_owned();
    assert_eq!(why(&status), (Code::OutOfRange, reason));
    let (mut watch, _) = watch(&mut shown.client, request(Some(35))).await;
    assert_eq!(next_change(&mut watch).await.sequence, 36);
}

/// The client reads nothing until the service has told more than fits between them.
pub(crate) async fn a_client_that_does_not_read_is_cut_off(engine: Engine) {
    let mut shown = shown_with(engine, |config| config.watch.kept = 2_000).await;
    let (mut slow, _) = watch(&mut shown.client, request(None)).await;
    let mut other = shown.service.client().await;
    let (mut fast, _) = watch(&mut other, request(None)).await;
    let name = "部".repeat(100);
    let mut all = 0;
    // Together more than any window between the two.
    for _ in 0..60 {
        shown
            .world
            .create_all(std::iter::repeat_n((name.as_str(), 4), 500))
            .await;
        for _ in 0..500 {
            all += 1;
            assert_eq!(next_change(&mut fast).await.sequence, all);
        }
    }
    let mut told = 0;
    let status = loop {
        match soon(slow.message()).await {
            Ok(message) => match message.unwrap().event.unwrap() {
                Event::Change(change) => {
                    told += 1;
                    assert_eq!(change.sequence, told);
                }
                Event::Progress(progress) => assert_eq!(progress.sequence, told),
            },
            Err(status) => break status,
        }
    };
    let reason = "WATCH_TOO_SLOW".to_owned();
    assert_eq!(why(&status), (Code::ResourceExhausted, reason));
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.metadata["resume_from"], told.to_string());
    assert!(status.get_details_retry_info().is_some());
    let (mut again, begin) = watch(&mut shown.client, request(Some(told))).await;
    assert_eq!(begin, told);
    assert_eq!(next_change(&mut again).await.sequence, told + 1);
}

pub(crate) async fn watches_end_when_the_service_drains(engine: Engine) {
    let mut shown = shown(engine).await;
    shown.world.create("chess", 4).await;
    let (mut live, _) = watch(&mut shown.client, request(None)).await;
    let (mut waiting, _) = watch(&mut shown.client, request(Some(9))).await;
    let stopping = shown.service.stop();
    for watch in [&mut live, &mut waiting] {
        let answer: Result<tonic::Response<()>, _> = Err(end(watch).await);
        assert_unavailable(answer, "DRAINING");
    }
    stopping.ended().await;
}

pub(crate) async fn an_outage_is_waited_out_by_watches(engine: Engine) {
    let redis = RedisServer::start_with(engine, &["--appendfsync", "always"]);
    let mut world = World::unbuilt(redis.url()).await;
    let service = Service::start(Config::new(redis.url()));
    service.serving().await;
    let mut client = service.client().await;
    let unbuilt = soon(client.watch_circles(request(None))).await;
    assert_unavailable(unbuilt, "READ_MODEL_NOT_BUILT");
    world.build().await;
    world.create("chess", 4).await;
    let (mut live, _) = watch(&mut client, request(None)).await;
    redis.kill();
    let refused = soon(client.watch_circles(request(None))).await;
    assert_unavailable(refused, "READ_MODEL_UNAVAILABLE");
    redis.restart();
    world.connected().await;
    world.create("go", 4).await;
    assert_eq!(next_change(&mut live).await.sequence, 2);
    assert!(
        timeout(Duration::from_millis(100), live.message())
            .await
            .is_err()
    );
}

pub(crate) async fn a_thousand_watches_are_served(engine: Engine) {
    const WATCHES: usize = 1_000;
    let redis = RedisDatabase::fresh(engine);
    let mut world = World::unbuilt(&redis.url()).await;
    world.build().await;
    let service = Service::start(Config::new(&redis.url()));
    service.serving().await;
    let mut watches = JoinSet::new();
    let mut client = service.client().await;
    for n in 0..WATCHES {
        if n % 200 == 0 {
            client = service.client().await;
        }
        let (mut watch, _) = watch(&mut client, request(None)).await;
        watches.spawn(async move {
            let mut told = Vec::new();
            while told.len() < 20 {
                told.push(next_change(&mut watch).await.sequence);
            }
            told
        });
    }
    for _ in 0..20 {
        world.create("chess", 4).await;
    }
    let expected: Vec<i64> = (1..=20).collect();
    for told in soon(watches.join_all()).await {
        assert_eq!(told, expected);
    }
}
