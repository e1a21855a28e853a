//! What the service tells of itself by numbers.

use test_support::metrics::Scrape;
use test_support::mysql::Engine;
use test_support::on_every_engine;

use crate::log::{HeldHead, Log};
use crate::service::{create, new_id, rename, soon};

on_every_engine!(calls_and_their_cost_are_counted, a_full_queue_is_seen);

const METHOD: &str = "circles.v1.CircleCommandService/";

async fn calls_and_their_cost_are_counted(engine: Engine) {
    let log = Log::create(engine).await;
    let service = log.service().await;
    let mut client = service.client().await;
    for name in ["football", "tennis", "chess"] {
        soon(client.create_circle(create(name, 20))).await.unwrap();
    }
    soon(client.create_circle(create("", 20)))
        .await
        .unwrap_err();
    soon(client.update_circle(rename(&new_id(), "golf")))
        .await
        .unwrap_err();

    let told = |scrape: &Scrape| {
        let calls = |method: &str, code| scrape.calls(&format!("{METHOD}{method}"), code);
        calls("CreateCircle", "OK") == 3.0
            && calls("CreateCircle", "INVALID_ARGUMENT") == 1.0
            && calls("UpdateCircle", "NOT_FOUND") == 1.0
    };
    let scrape = Scrape::until(service.metrics, "all calls", told).await;
    for (sample, value) in [
        ("circles_command_batch_size_sum", 4.0),
        ("circles_command_batch_size_bucket{le=\"1\"}", 4.0),
        ("circles_command_commit_duration_seconds_count", 4.0),
        ("circles_command_log_head_sequence", 3.0),
        ("circles_command_cache_misses_total", 1.0),
        ("circles_command_cache_hits_total", 0.0),
        ("circles_command_queue_length", 0.0),
        ("circles_command_queue_limit", 4_096.0),
        ("circles_command_refused_total", 0.0),
        ("circles_command_transaction_failures_total", 0.0),
        ("circles_command_ignored_snapshots_total", 0.0),
    ] {
        assert_eq!(scrape.get(sample), Some(value), "{sample}");
    }
}

async fn a_full_queue_is_seen(engine: Engine) {
    let log = Log::create(engine).await;
    let mut config = log.config();
    (config.writer.queue, config.writer.batch) = (1, 1);
    let service = crate::service::Service::start(config);
    service.serving().await;
    let mut connection = log.connection().await;
    let held = HeldHead::take(&mut connection).await;
    let mut calls = Vec::new();
    for n in 0..10 {
        let mut client = service.client().await;
        calls.push(tokio::spawn(async move {
            client.create_circle(create("football", 20)).await
        }));
        if n == 0 {
            // It is with the database, and the next one in the queue.
            log.append_waits().await;
        }
    }
    let refused = |scrape: &Scrape| scrape.get("circles_command_refused_total") >= Some(8.0);
    let scrape = Scrape::until(service.metrics, "refusals", refused).await;
    assert_eq!(scrape.get("circles_command_queue_length"), Some(1.0));
    held.release().await;
    for call in calls {
        // Some were refused.
        let _ = soon(call).await.unwrap();
    }
}
