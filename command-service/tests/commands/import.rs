//! Many creations on one stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use circles_proto::circles::v1::import_circles_response::Result as Answered;
use circles_proto::circles::v1::{
    ImportCirclesRequest, ImportCirclesResponse, ImportFailure, ImportedCircle,
};
use test_support::mysql::Engine;
use test_support::on_every_engine;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

use crate::failures::{refused, tells_when_to_retry, why};
use crate::log::{HeldHead, Log, fresh};
use crate::service::{Answer, Client, Service, create, new_id, soon};

on_every_engine!(
    answers_come_in_order_each_with_its_own_status,
    what_is_imported_again_is_answered_as_at_first,
    a_client_that_does_not_read_is_not_read_from,
    a_client_that_vanishes_leaves_nothing_half_done,
    an_import_waits_for_room_while_others_are_refused,
    imports_take_no_places_of_calls,
    a_drain_answers_what_was_read,
    a_malformed_request_ends_its_stream_alone,
);

fn item(name: impl Into<String>, capacity: i32) -> ImportCirclesRequest {
    ImportCirclesRequest {
        name: name.into(),
        capacity,
        request_id: None,
    }
}

fn under(request_id: String, item: ImportCirclesRequest) -> ImportCirclesRequest {
    ImportCirclesRequest {
        request_id: Some(request_id),
        ..item
    }
}

async fn begin(
    client: &mut Client,
    requests: impl Stream<Item = ImportCirclesRequest> + Send + 'static,
) -> Streaming<ImportCirclesResponse> {
    soon(client.import_circles(requests))
        .await
        .unwrap()
        .into_inner()
}

async fn next(answers: &mut Streaming<ImportCirclesResponse>) -> Result<Answered, Status> {
    let answer = soon(answers.message()).await?.expect("there is an answer");
    Ok(answer.result.expect("one of the two is set"))
}

/// Imports all of them, and asserts that nothing comes after the answers.
async fn import(client: &mut Client, requests: Vec<ImportCirclesRequest>) -> Vec<Answered> {
    let count = requests.len();
    let mut answers = begin(client, tokio_stream::iter(requests)).await;
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        all.push(next(&mut answers).await.unwrap());
    }
    assert_eq!(soon(answers.message()).await.unwrap(), None);
    all
}

fn created(answer: Answered) -> Answer {
    match answer {
        Answered::Created(ImportedCircle {
            circle_id,
            version,
            sequence,
        }) => Answer {
            circle_id,
            version,
            sequence,
        },
        Answered::Failure(failure) => panic!("{failure:?}"),
    }
}

/// The failure that says the same as the status of a call.
fn failure(status: &Status) -> Answered {
    let (code, reason) = why(status);
    let details = status.get_error_details();
    let violations = details
        .bad_request()
        .map(|request| request.field_violations.clone());
    Answered::Failure(ImportFailure {
        code: code.into(),
        reason,
        message: status.message().to_owned(),
        violations: violations
            .unwrap_or_default()
            .into_iter()
            .map(
                |violation| circles_proto::circles::v1::ImportFieldViolation {
                    field: violation.field,
                    description: violation.description,
                },
            )
            .collect(),
    })
}

/// The name in the payload of each event, and its circle.
async fn names(log: &Log) -> Vec<(String, String)> {
    let events = log.events().await.into_iter();
    let name = |payload: &str| {
        let payload: serde_json::Value = serde_json::from_str(payload).unwrap();
        payload["name"].as_str().unwrap().to_owned()
    };
    events
        .map(|event| (name(&event.payload), event.circle_id))
        .collect()
}

async fn answers_come_in_order_each_with_its_own_status(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let mut first = create("first", 20);
    first.request_id = Some(new_id());
    let used = first.request_id.clone().unwrap();
    client.create_circle(first).await.unwrap();

    // Each fails as CreateCircle does.
    let mut refusals = Vec::new();
    for (name, capacity, request_id) in [
        ("", 2, Some("1")),
        ("tennis", 20, Some(used.as_str())),
        ("a\nb", 20, None),
        ("tennis", 32_768, None),
    ] {
        let mut call = create(name, capacity);
        call.request_id = request_id.map(str::to_owned);
        let refusal = client.create_circle(call).await.unwrap_err();
        let mut request = item(name, capacity);
        request.request_id = request_id.map(str::to_owned);
        refusals.push((request, failure(&refusal)));
    }

    let fails = |n: usize| n % 5 == 3;
    let requests = (0..1_500).map(|n| match fails(n) {
        true => refusals[n % refusals.len()].0.clone(),
        false => item(format!("circle {n}"), 20),
    });
    let answers = import(&mut client, requests.collect()).await;

    let names = names(&log).await;
    assert_eq!(names.len(), 1 + 1_200);
    for (n, answer) in answers.into_iter().enumerate() {
        if fails(n) {
            assert_eq!(answer, refusals[n % refusals.len()].1, "{n}");
        } else {
            let answer = created(answer);
            assert_eq!(answer.version, 1);
            let place = usize::try_from(answer.sequence).unwrap() - 1;
            assert_eq!(names[place], (format!("circle {n}"), answer.circle_id));
        }
    }
}

async fn what_is_imported_again_is_answered_as_at_first(engine: Engine) {
    let (log, service, mut client) = fresh(engine).await;
    let mut requests: Vec<_> = (0..300)
        .map(|n| under(new_id(), item(format!("circle {n}"), 20)))
        .collect();
    // Twice in one stream, too.
    requests.extend_from_within(250..);
    let answers = import(&mut client, requests.clone()).await;
    assert_eq!(answers[250..300], answers[300..]);
    let events = log.events().await;
    assert_eq!(events.len(), 300);

    assert_eq!(import(&mut client, requests.clone()).await, answers);
    drop(client);
    service.stop().ended().await;
    let service = log.service().await;
    let mut client = service.client().await;
    assert_eq!(import(&mut client, requests.clone()).await, answers);

    // One by one it is the same request.
    let mut single = create("circle 7", 20);
    single.request_id.clone_from(&requests[7].request_id);
    let again = Answer::from(client.create_circle(single.clone()).await.unwrap());
    assert_eq!(again, created(answers[7].clone()));
    single.capacity = 21;
    let used = (Code::AlreadyExists, "REQUEST_ID_USED".to_owned());
    assert_eq!(refused(client.create_circle(single).await), used);
    assert_eq!(log.events().await, events);
}

/// A client with the smallest window that HTTP/2 starts a stream with. That of the connection is larger: h2 breaks off
/// a connection on which too many small frames are not read, and takes it as the measure of too many.
async fn narrow(service: &Service) -> Client {
    let endpoint = service
        .endpoint()
        .initial_stream_window_size(65_535)
        .initial_connection_window_size(1024 * 1024);
    Client::new(soon(endpoint.connect()).await.unwrap())
}

async fn a_client_that_does_not_read_is_not_read_from(engine: Engine) {
    const OFFERED: usize = 8_000;
    // What fills the window and a frame's buffer with answers of 60 bytes, and what is in flight.
    const MOST_TAKEN: usize = (65_535 + 32_768) / 60 + 256;

    let log = Log::create(engine).await;
    let mut config = log.config();
    // Less than one stream has in flight: whoever holds places for ever would be noticed.
    config.writer.queue = 64;
    let service = Service::start(config);
    service.serving().await;
    let mut other = service.client().await;
    let mut client = narrow(&service).await;
    let offered = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&offered);
    let requests = (0..OFFERED).map(move |n| {
        counter.fetch_add(1, Ordering::Relaxed);
        // The transport takes some that the service does not read: few, as each is long.
        item(format!("{n} {}", "将".repeat(90)), 20)
    });
    let mut answers = begin(&mut client, tokio_stream::iter(requests)).await;

    // Others are served meanwhile. Until the import stands still, seen through a hundred calls.
    let (mut imported, mut others, mut still) = (0, 0, 0);
    while still < 100 {
        let other = soon(other.create_circle(create("other", 20)))
            .await
            .unwrap();
        others += 1;
        let now = usize::try_from(Answer::from(other).sequence).unwrap() - others;
        still = if now == imported && now > 0 {
            still + 1
        } else {
            0
        };
        imported = now;
    }
    assert!((256..=MOST_TAKEN).contains(&imported), "{imported} taken");
    let read = offered.load(Ordering::Relaxed);
    assert!(
        read < OFFERED,
        "the client was relieved of all its requests"
    );

    let neighbours = import(&mut other, vec![item("neighbour", 20); 300]).await;
    others += neighbours.into_iter().map(created).count();

    // Now it reads.
    for n in 0..OFFERED {
        let answer = created(next(&mut answers).await.unwrap());
        assert_eq!(answer.version, 1, "{n}");
    }
    assert_eq!(soon(answers.message()).await.unwrap(), None);
    assert_eq!(log.events().await.len(), OFFERED + others);
}

async fn a_client_that_vanishes_leaves_nothing_half_done(engine: Engine) {
    let (log, service, mut other) = fresh(engine).await;
    let requests: Vec<_> = (0..2_000)
        .map(|n| under(new_id(), item(format!("circle {n}"), 20)))
        .collect();
    let mut first = Vec::new();
    // In the middle of the stream, with the connection or without.
    for seen in [0, 1, 300] {
        let mut client = service.client().await;
        let mut answers = begin(&mut client, tokio_stream::iter(requests.clone())).await;
        for _ in 0..seen {
            first.push(created(next(&mut answers).await.unwrap()));
        }
        drop(answers);
        soon(other.create_circle(create("other", 20)))
            .await
            .unwrap();
    }
    let again: Vec<_> = import(&mut other, requests.clone()).await;
    let again: Vec<_> = again.into_iter().map(created).collect();
    assert_eq!(first[0], again[0]);
    assert_eq!(first[1..], again[..300]);
    let mut names = names(&log).await;
    names.retain(|(name, _)| name != "other");
    assert_eq!(names.len(), requests.len());
    service.stop().ended().await;
}

async fn an_import_waits_for_room_while_others_are_refused(engine: Engine) {
    const CALLS: usize = 12;

    let log = Log::create(engine).await;
    let mut config = log.config();
    (config.writer.queue, config.writer.batch) = (4, 1);
    let service = Service::start(config);
    service.serving().await;
    let mut client = service.client().await;
    let mut connection = log.connection().await;
    let held = HeldHead::take(&mut connection).await;
    let requests: Vec<_> = (0..100).map(|n| item(format!("circle {n}"), 20)).collect();
    let mut answers = begin(&mut client, tokio_stream::iter(requests)).await;
    log.append_waits().await;

    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let mut client = client.clone();
        calls.spawn(async move { client.create_circle(create("other", 20)).await });
    }
    // The queue takes four of them at most. At least two, however many are imported.
    for _ in 4..CALLS {
        let status = soon(calls.join_next()).await.unwrap().unwrap().unwrap_err();
        let full = (Code::ResourceExhausted, "QUEUE_FULL".to_owned());
        assert_eq!(why(&status), full);
        assert!(tells_when_to_retry(&status));
    }
    held.release().await;
    let rest = soon(calls.join_all()).await;
    let taken = rest.iter().filter(|answer| answer.is_ok()).count();
    assert!(taken >= 2, "{rest:?}");
    for _ in 0..100 {
        created(next(&mut answers).await.unwrap());
    }
    assert_eq!(log.events().await.len(), 100 + taken);
}

async fn imports_take_no_places_of_calls(engine: Engine) {
    let log = Log::create(engine).await;
    let mut config = log.config();
    (config.server.max_calls, config.server.max_streams) = (1, 1);
    let service = Service::start(config);
    service.serving().await;
    let mut client = service.client().await;
    let mut answers = begin(&mut client, tokio_stream::pending()).await;
    let another = client.import_circles(tokio_stream::empty());
    let refusal = soon(another).await.unwrap_err();
    let too_many = (Code::ResourceExhausted, "TOO_MANY_STREAMS".to_owned());
    assert_eq!(why(&refusal), too_many);
    assert!(tells_when_to_retry(&refusal));
    let single = client.create_circle(create("tennis", 20));
    soon(single).await.unwrap();
    // The drain ends it.
    let stopping = service.stop();
    assert!(next(&mut answers).await.is_err());
    stopping.ended().await;
}

async fn a_drain_answers_what_was_read(engine: Engine) {
    let (log, service, mut client) = fresh(engine).await;
    let (send, requests) = mpsc::channel(100);
    let mut answers = begin(&mut client, ReceiverStream::new(requests)).await;
    let mut quiet = begin(&mut client, tokio_stream::pending()).await;
    send.send(item("before", 20)).await.unwrap();
    created(next(&mut answers).await.unwrap());

    let mut connection = log.connection().await;
    let held = HeldHead::take(&mut connection).await;
    send.send(item("in flight", 20)).await.unwrap();
    log.append_waits().await;
    let mut health = HealthClient::new(service.channel().await);
    let watch = health.watch(HealthCheckRequest::default()).await;
    let mut watch = watch.unwrap().into_inner();
    let stopping = service.stop();
    while soon(watch.message()).await.unwrap().unwrap().status() != ServingStatus::NotServing {}
    // One that waits for nothing ends at once.
    let ends = [next(&mut quiet).await.unwrap_err(), {
        // Not read any more.
        send.send(item("too late", 20)).await.unwrap();
        held.release().await;
        created(next(&mut answers).await.unwrap());
        next(&mut answers).await.unwrap_err()
    }];
    for end in ends {
        assert_eq!(why(&end), (Code::Unavailable, "DRAINING".to_owned()));
        assert!(tells_when_to_retry(&end));
    }
    stopping.ended().await;
    let names: Vec<_> = names(&log)
        .await
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["before", "in flight"]);
}

async fn a_malformed_request_ends_its_stream_alone(engine: Engine) {
    let (log, service, mut client) = fresh(engine).await;
    let (send, requests) = mpsc::channel(100);
    let mut neighbour = begin(&mut client, ReceiverStream::new(requests)).await;

    // Its first two fields are a name and a capacity; the third one, where it is not left out
    // as 0, is no text.
    let alike = |sequence| ImportedCircle {
        circle_id: "football".to_owned(),
        version: 20,
        sequence,
    };
    let codec = ProstCodec::<ImportedCircle, ImportCirclesResponse>::default();
    let mut raw = tonic::client::Grpc::new(service.channel().await);
    raw.ready().await.unwrap();
    let requests = tokio_stream::iter([alike(0), alike(0), alike(1), alike(0)]);
    let path = "/circles.v1.CircleCommandService/ImportCircles"
        .parse()
        .unwrap();
    let answers = raw.streaming(Request::new(requests), path, codec).await;
    let mut answers = answers.unwrap().into_inner();
    for _ in 0..2 {
        created(next(&mut answers).await.unwrap());
    }
    assert_eq!(next(&mut answers).await.unwrap_err().code(), Code::Internal);

    send.send(item("neighbour", 20)).await.unwrap();
    created(next(&mut neighbour).await.unwrap());
    drop(send);
    assert_eq!(soon(neighbour.message()).await.unwrap(), None);
    assert_eq!(log.events().await.len(), 3);
}
