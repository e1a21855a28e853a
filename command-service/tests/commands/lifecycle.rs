//! The service's beginning and end, and clients that do not wait for an answer.

use std::time::Duration;

use circles_proto::circles::v1::{CreateCircleRequest, CreateCircleResponse};
use command_service::RunError;
use command_service::config::Config;
use event_store::{SetupError, migrate};
use sqlx::Connection as _;
use test_support::mysql::{Database, Engine, MySqlServer};
use test_support::on_every_engine;
use tokio_stream::pending;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request};
use tonic_health::pb::health_check_response::ServingStatus;

use crate::failures::{tells_when_to_retry, why};
use crate::log::{HeldHead, Log, fresh};
use crate::service::{Answer, Service, create, new_id, soon};

on_every_engine!(
    tables_are_waited_for,
    a_database_is_waited_for,
    a_service_makes_its_tables_where_it_is_told_to,
    a_running_call_gets_its_answer_in_a_drain,
    what_a_client_did_not_wait_for_is_done_before_the_end,
    calls_that_are_dropped_are_done_or_not_but_never_half,
    a_call_that_never_ends_does_not_hold_the_end,
    what_still_waits_at_its_deadline_is_not_done,
);

/// It is there and alive, but can't do a command.
async fn is_waiting(service: &Service) {
    assert_eq!(service.health().await, ServingStatus::NotServing);
    let mut client = service.client().await;
    let status = soon(client.create_circle(create("football", 20))).await;
    let status = status.unwrap_err();
    assert_eq!(why(&status), (Code::Unavailable, "STARTING".to_owned()));
    assert!(tells_when_to_retry(&status), "{status:?}");
}

async fn becomes_able(service: &Service) {
    service.serving().await;
    assert_eq!(service.health().await, ServingStatus::Serving);
    let mut client = service.client().await;
    let made = client.create_circle(create("football", 20)).await.unwrap();
    assert_eq!(Answer::from(made).sequence, 1);
}

async fn tables_are_waited_for(engine: Engine) {
    let database = Database::create(engine).await;
    let service = Service::start(Config::new(&database.url()));
    is_waiting(&service).await;
    migrate(&database.url()).await.unwrap();
    becomes_able(&service).await;
}

async fn a_database_is_waited_for(engine: Engine) {
    let database = Database::create(engine).await;
    let mut connection = database.connection().await;
    let drop = format!("DROP DATABASE {}", database.name());
    sqlx::raw_sql(sqlx::AssertSqlSafe(drop))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();

    let service = Service::start(Config::new(&database.url()));
    is_waiting(&service).await;
    migrate(&database.url()).await.unwrap();
    becomes_able(&service).await;
}

async fn a_service_makes_its_tables_where_it_is_told_to(engine: Engine) {
    let database = Database::create(engine).await;
    let mut config = Config::new(&database.url());
    config.migrate_at_start = true;
    // Two at the same time, as replicas do it.
    let services = [Service::start(config.clone()), Service::start(config)];
    for service in &services {
        service.serving().await;
    }
    becomes_able(&services[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down_is_waited_for() {
    let server = MySqlServer::start(Engine::MariaDb);
    let database = Database::create_on(server.url().to_owned()).await;
    migrate(&database.url()).await.unwrap();
    server.kill();
    let waiting = Service::start(Config::new(&database.url()));
    let told_to_stop = Service::start(Config::new(&database.url()));
    is_waiting(&waiting).await;
    is_waiting(&told_to_stop).await;
    told_to_stop.stop().ended().await;
    server.restart();
    becomes_able(&waiting).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_may_lose_commits_is_refused_unless_allowed() {
    let unsafe_commits = "--innodb-flush-log-at-trx-commit=2";
    let server = MySqlServer::start_with(Engine::MariaDb, &[unsafe_commits]);
    let database = Database::create_on(server.url().to_owned()).await;
    migrate(&database.url()).await.unwrap();
    let mut config = Config::new(&database.url());

    let refused = Service::start(config.clone()).ended().await;
    let error = refused.unwrap_err();
    let unsafe_setting = matches!(error, RunError::Setup(SetupError::Unsafe(_)));
    assert!(unsafe_setting, "{error:?}");
    let said = error.to_string();
    assert!(
        said.contains("innodb_flush_log_at_trx_commit is 2"),
        "{said}"
    );

    config.allow_unsafe_mysql = true;
    becomes_able(&Service::start(config)).await;
}

async fn a_running_call_gets_its_answer_in_a_drain(engine: Engine) {
    let (log, service, mut client) = fresh(engine).await;
    let mut connection = log.connection().await;
    let held = HeldHead::take(&mut connection).await;
    let call = tokio::spawn(async move { client.create_circle(create("football", 20)).await });
    log.append_waits().await;

    let stopping = service.stop();
    held.release().await;
    let answer = Answer::from(soon(call).await.unwrap().unwrap());
    assert_eq!((answer.version, answer.sequence), (1, 1));
    stopping.ended().await;
    assert_eq!(log.events().await.len(), 1);
}

async fn what_a_client_did_not_wait_for_is_done_before_the_end(engine: Engine) {
    let (log, service, mut client) = fresh(engine).await;
    let mut connection = log.connection().await;
    let held = HeldHead::take(&mut connection).await;
    let mut request = create("football", 20);
    request.request_id = Some(new_id());
    let (sent, mut sender) = (request.clone(), client.clone());
    let call = tokio::spawn(async move { sender.create_circle(sent).await });
    log.append_waits().await;
    call.abort();
    assert!(soon(call).await.unwrap_err().is_cancelled());

    // Told to stop before the log takes anything.
    let stopping = service.stop();
    held.release().await;
    stopping.ended().await;
    let events = log.events().await;
    assert_eq!(events.len(), 1);

    let restarted = log.service().await;
    client = restarted.client().await;
    let answer = Answer::from(client.create_circle(request).await.unwrap());
    assert_eq!(
        (&answer.circle_id, answer.sequence),
        (&events[0].circle_id, 1)
    );
    assert_eq!(log.events().await, events);
}

async fn calls_that_are_dropped_are_done_or_not_but_never_half(engine: Engine) {
    let (log, service, _) = fresh(engine).await;
    let mut requests = Vec::new();
    for n in 0..30 {
        // On a connection of its own, which is cut off a little later each time.
        let mut client = service.client().await;
        let mut request = create(&format!("circle {n}"), 20);
        request.request_id = Some(new_id());
        let call = client.create_circle(request.clone());
        let _ = tokio::time::timeout(Duration::from_micros(150 * n), call).await;
        requests.push(request);
    }
    let mut client = service.client().await;
    let mut answers = Vec::new();
    for request in requests.clone() {
        answers.push(Answer::from(client.create_circle(request).await.unwrap()));
    }
    // What was late is in the log by now, or never will be.
    for (request, first) in requests.iter().zip(&answers) {
        let again = Answer::from(client.create_circle(request.clone()).await.unwrap());
        assert_eq!(&again, first);
    }
    drop(client);
    service.stop().ended().await;
    let mut stored: Vec<_> = log.events().await.into_iter().map(|e| e.id).collect();
    let mut sent: Vec<_> = requests
        .into_iter()
        .map(|r| r.request_id.unwrap())
        .collect();
    stored.sort();
    sent.sort();
    assert_eq!(stored, sent);
}

async fn a_call_that_never_ends_does_not_hold_the_end(engine: Engine) {
    let log = Log::create(engine).await;
    let mut config = log.config();
    config.server.drain_timeout = Duration::from_millis(100);
    config.writer.patience = Duration::from_millis(100);
    let service = Service::start(config);
    service.serving().await;

    // A client that opens a call and never says what it wants.
    let channel = service.channel().await;
    let mut silent = tonic::client::Grpc::new(channel.clone());
    soon(silent.ready()).await.unwrap();
    let call = tokio::spawn(async move {
        let path = PathAndQuery::from_static("/circles.v1.CircleCommandService/CreateCircle");
        let codec = tonic_prost::ProstCodec::<CreateCircleRequest, CreateCircleResponse>::default();
        let request = Request::new(pending::<CreateCircleRequest>());
        silent.client_streaming(request, path, codec).await
    });
    // A later call on the same connection is answered: the server has the first one.
    let mut client = crate::service::Client::new(channel);
    let made = client.create_circle(create("football", 20)).await.unwrap();
    assert_eq!(Answer::from(made).sequence, 1);

    assert!(!call.is_finished());
    service.stop().ended().await;
    call.abort();
}

async fn what_still_waits_at_its_deadline_is_not_done(engine: Engine) {
    let (log, service, mut others) = fresh(engine).await;
    let mut client = service.client_without_clock();
    let mut connection = log.connection().await;
    let held = HeldHead::take(&mut connection).await;
    let first = tokio::spawn(async move { others.create_circle(create("football", 20)).await });
    log.append_waits().await;

    let with_deadline = |timeout: &'static str| {
        let mut request = Request::new(create("tennis", 20));
        let metadata = request.metadata_mut();
        metadata.insert("grpc-timeout", timeout.parse().unwrap());
        request
    };
    let status = soon(client.create_circle(with_deadline("200m"))).await;
    let reason = "DEADLINE_EXCEEDED".to_owned();
    assert_eq!(why(&status.unwrap_err()), (Code::DeadlineExceeded, reason));

    held.release().await;
    let first = Answer::from(soon(first).await.unwrap().unwrap());
    assert_eq!(first.sequence, 1);
    // What waited beside it is gone; with time enough a command is done as ever.
    let next = soon(client.create_circle(with_deadline("20S"))).await;
    assert_eq!(Answer::from(next.unwrap()).sequence, 2);
    assert_eq!(log.events().await.len(), 2);
}
