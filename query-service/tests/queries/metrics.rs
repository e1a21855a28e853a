//! What the service tells of itself by numbers.

use std::time::Duration;

use circles_proto::circles::v1::WatchCirclesRequest;
use query_service::config::Config;
use test_support::metrics::Scrape;
use test_support::redis::{Engine, RedisDatabase};

use crate::service::{Service, soon};
use crate::world::{get, shown, shown_with};

const METHOD: &str = "circles.v1.CircleQueryService/";
const CHECKPOINT: &str = "circles_query_checkpoint_sequence";
const WAITS: &str = "circles_query_wait_duration_seconds_count";
const IN_VAIN: &str = "circles_query_waits_in_vain_total";
const COMMANDS: &str = "circles_query_redis_commands_total";

pub(crate) async fn queries_and_what_they_wait_for_are_counted(engine: Engine) {
    let short = Duration::from_millis(1);
    let mut shown = shown_with(engine, |config| config.max_wait = short).await;
    let metrics = shown.service.metrics;
    let id = shown.world.create("football", 20).await;
    let before = Scrape::until(metrics, "the checkpoint", |told| {
        told.get(CHECKPOINT) == Some(1.0)
    });
    let before = before.await;
    assert_eq!(before.get(WAITS), Some(0.0));

    for min in [None, Some(1)] {
        let mut query = get(&id);
        query.min_sequence = min;
        soon(shown.client.get_circle(query)).await.unwrap();
    }
    let mut query = get(&id);
    query.min_sequence = Some(2);
    soon(shown.client.get_circle(query)).await.unwrap_err();
    let unknown = "0190a0b0-0000-7000-8000-000000000000";
    soon(shown.client.get_circle(get(unknown)))
        .await
        .unwrap_err();

    let method = format!("{METHOD}GetCircle");
    let after = Scrape::until(metrics, "all calls", |told| {
        told.calls(&method, "OK") == 2.0
            && told.calls(&method, "UNAVAILABLE") == 1.0
            && told.calls(&method, "NOT_FOUND") == 1.0
    });
    let after = after.await;
    assert_eq!(after.get(WAITS), Some(1.0));
    assert_eq!(after.get(IN_VAIN), Some(1.0));
    assert!(after.get(COMMANDS) >= before.get(COMMANDS).map(|commands| commands + 4.0));
}

pub(crate) async fn watches_are_counted_while_they_last(engine: Engine) {
    let mut shown = shown(engine).await;
    let metrics = shown.service.metrics;
    let watching = shown.client.watch_circles(WatchCirclesRequest::default());
    let mut watch = soon(watching).await.unwrap().into_inner();
    soon(watch.message()).await.unwrap();
    let are = |watches| move |told: &Scrape| told.get("circles_query_watches") == Some(watches);
    Scrape::until(metrics, "a watch", are(1.0)).await;
    drop(watch);
    Scrape::until(metrics, "no watch", are(0.0)).await;
    let method = format!("{METHOD}WatchCircles");
    Scrape::until(metrics, "its end", |told| {
        told.calls(&method, "CANCELLED") == 1.0
    })
    .await;
}

pub(crate) async fn a_read_model_that_is_not_built_has_no_checkpoint(engine: Engine) {
    let redis = RedisDatabase::fresh(engine);
    let service = Service::start(Config::new(&redis.url()));
    service.serving().await;
    let told = Scrape::until(service.metrics, "anything", |_| true).await;
    assert_eq!(told.get(CHECKPOINT), None);
    assert_eq!(told.get(IN_VAIN), Some(0.0));
}
