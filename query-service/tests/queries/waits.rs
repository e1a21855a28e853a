//! Queries that need the read model to have come as far as an event.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use circles_proto::circles::v1::{
    BatchGetCirclesRequest, CircleOrder, GetCircleRequest, ListCirclesRequest,
};
use query_service::config::Config;
use test_support::redis::{Engine, RedisDatabase};
use tonic::{Code, Request};

use crate::failures::{assert_unavailable, why};
use crate::service::{Client, Service, soon};
use crate::world::{World, batch_get, get, list, shown_with};

/// Longer than a test may take: whoever waits so long fails it.
const FOR_EVER: Duration = Duration::from_secs(300);

/// One query of each kind that needs the read model to have come to `min`.
fn queries(id: &str, min: i64) -> (GetCircleRequest, BatchGetCirclesRequest, ListCirclesRequest) {
    let mut queries = (
        get(id),
        batch_get([id]),
        list(CircleOrder::CapacityDesc, 10),
    );
    queries.0.min_sequence = Some(min);
    queries.1.min_sequence = Some(min);
    queries.2.min_sequence = Some(min);
    queries
}

pub(crate) async fn what_is_reached_is_answered_at_once(engine: Engine) {
    let mut shown = shown_with(engine, |config| config.max_wait = FOR_EVER).await;
    shown.world.create("football", 20).await;
    let id = shown.world.create("tennis", 4).await;
    for min in 0..=2 {
        let (get, batch_get, list) = queries(&id, min);
        let answer = soon(shown.client.get_circle(get)).await.unwrap();
        assert_eq!(answer.into_inner().sequence, 2);
        let answer = soon(shown.client.batch_get_circles(batch_get)).await;
        assert_eq!(answer.unwrap().into_inner().sequence, 2);
        let answer = soon(shown.client.list_circles(list)).await.unwrap();
        assert_eq!(answer.into_inner().sequence, 2);
    }
}

/// Returns once the service has every call that was sent before on this connection: a call sent
/// later was answered.
async fn has_arrived(client: &mut Client, id: &str) {
    soon(client.get_circle(get(id))).await.unwrap();
}

pub(crate) async fn a_query_waits_for_what_it_needs(engine: Engine) {
    let mut shown = shown_with(engine, |config| config.max_wait = FOR_EVER).await;
    let (world, client) = (&mut shown.world, &mut shown.client);
    let id = world.create("football", 20).await;
    for round in 0..3 {
        // Two events ahead, so that the first does not end the wait.
        let (get, batch_get, list) = queries(&id, world.sequence() + 2);
        let reached = Arc::new(AtomicBool::new(false));
        let waiting = tokio::spawn({
            let (client, reached) = (client.clone(), Arc::clone(&reached));
            let [mut one, mut two, mut three] = [client.clone(), client.clone(), client];
            async move {
                let answers = tokio::join!(
                    one.get_circle(get),
                    two.batch_get_circles(batch_get),
                    three.list_circles(list)
                );
                assert!(reached.load(Ordering::SeqCst), "an answer from too early");
                answers
            }
        });
        has_arrived(client, &id).await;
        world.update(&id, "handball", 30 + round).await;
        has_arrived(client, &id).await;
        assert!(!waiting.is_finished());
        reached.store(true, Ordering::SeqCst);
        world.update(&id, "football", 30 + round).await;

        let expected = (world.circle(&id), world.sequence());
        let (get, batch_get, list) = soon(waiting).await.unwrap();
        let get = get.unwrap().into_inner();
        let mut batch_get = batch_get.unwrap().into_inner();
        let mut list = list.unwrap().into_inner();
        assert_eq!((get.circle.unwrap(), get.sequence), expected);
        let found = (batch_get.circles.remove(0), batch_get.sequence);
        assert_eq!(found, expected);
        assert_eq!((list.circles.remove(0), list.sequence), expected);
    }
}

/// A command was answered, so there is something to come.
pub(crate) async fn a_query_waits_for_a_read_model_that_is_not_built(engine: Engine) {
    let redis = RedisDatabase::fresh(engine);
    let mut world = World::unbuilt(&redis.url()).await;
    let mut config = Config::new(&redis.url());
    config.max_wait = FOR_EVER;
    let service = Service::start(config);
    service.serving().await;
    let mut client = service.client().await;
    let mut request = list(CircleOrder::NameAsc, 10);
    request.min_sequence = Some(1);
    let waiting = tokio::spawn({
        let mut client = client.clone();
        async move { client.list_circles(request).await }
    });
    let unbuilt = soon(client.list_circles(list(CircleOrder::NameAsc, 10))).await;
    assert_unavailable(unbuilt, "READ_MODEL_NOT_BUILT");
    assert!(!waiting.is_finished());

    world.build().await;
    let id = world.create("football", 20).await;
    let page = soon(waiting).await.unwrap().unwrap().into_inner();
    assert_eq!((page.circles, page.sequence), (vec![world.circle(&id)], 1));
}

pub(crate) async fn a_wait_ends_with_the_patience_of_the_service(engine: Engine) {
    let short = Duration::from_millis(50);
    let mut shown = shown_with(engine, |config| config.max_wait = short).await;
    let id = shown.world.create("football", 20).await;
    for min in [2, i64::MAX] {
        let (get, batch_get, list) = queries(&id, min);
        let reason = "MIN_SEQUENCE_NOT_REACHED";
        // With more time than the service has, too.
        let mut patient = Request::new(get.clone());
        patient.set_timeout(FOR_EVER);
        assert_unavailable(soon(shown.client.get_circle(get)).await, reason);
        assert_unavailable(soon(shown.client.get_circle(patient)).await, reason);
        let answer = soon(shown.client.batch_get_circles(batch_get)).await;
        assert_unavailable(answer, reason);
        assert_unavailable(soon(shown.client.list_circles(list)).await, reason);
    }
}

pub(crate) async fn a_wait_ends_with_the_deadline_of_the_client(engine: Engine) {
    fn hurried<T>(message: T) -> Request<T> {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("grpc-timeout", "500m".parse().unwrap());
        request
    }
    let mut shown = shown_with(engine, |config| config.max_wait = FOR_EVER).await;
    let id = shown.world.create("football", 20).await;
    let (get, batch_get, list) = queries(&id, 2);
    let client = shown.service.client_without_clock();
    let [mut one, mut two, mut three] = [client.clone(), client.clone(), client];
    let (get, batch_get, list) = soon(async {
        tokio::join!(
            one.get_circle(hurried(get)),
            two.batch_get_circles(hurried(batch_get)),
            three.list_circles(hurried(list))
        )
    })
    .await;
    for status in [get.unwrap_err(), batch_get.unwrap_err(), list.unwrap_err()] {
        let reason = "MIN_SEQUENCE_NOT_REACHED".to_owned();
        assert_eq!(why(&status), (Code::DeadlineExceeded, reason));
    }
}

pub(crate) async fn a_waiting_query_is_answered_in_a_drain(engine: Engine) {
    let mut shown = shown_with(engine, |config| config.max_wait = FOR_EVER).await;
    let id = shown.world.create("football", 20).await;
    let (request, _, _) = queries(&id, 2);
    let waiting = tokio::spawn({
        let mut client = shown.client.clone();
        async move { client.get_circle(request).await }
    });
    has_arrived(&mut shown.client, &id).await;
    let stopping = shown.service.stop();
    shown.world.update(&id, "football", 30).await;
    let answer = soon(waiting).await.unwrap().unwrap().into_inner();
    assert_eq!(answer.circle, Some(shown.world.circle(&id)));
    stopping.ended().await;
}
