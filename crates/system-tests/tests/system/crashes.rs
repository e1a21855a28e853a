//! Processes and servers that are killed while everybody works.

use std::time::Duration;

use test_support::judge::{self, Options};
use test_support::mysql::{Database, Engine, MySqlServer};
use test_support::on_every_engine;
use test_support::process::Service;
use test_support::redis::{self, RedisCluster, RedisDatabase, RedisServer};

use crate::client::{Load, Reader, Watcher, create, until_visible};
use crate::support::{LEASE, PATIENCE, Places, Services, System};

on_every_engine!(
    a_projector_killed_again_and_again_loses_nothing,
    a_leader_that_was_frozen_does_no_harm,
    mysql_redis_and_the_projector_killed_in_turn_lose_nothing,
    a_mysql_put_back_to_an_older_copy_takes_everybody_back,
    sigterm_ends_every_service_in_order,
);

async fn a_projector_killed_again_and_again_loses_nothing(engine: Engine) {
    let mut system = System::start(engine).await;
    create(&system.services, "first").await;
    let watcher = Watcher::start(&system.services);
    let load = Load::start(&system.services, 4);
    for round in 0..15_u64 {
        // Between its start and some pages later.
        tokio::time::sleep(Duration::from_millis((round * 37) % 150)).await;
        system.services.restart_projector();
    }
    let acknowledged = load.stop().await + 1;
    assert_eq!(judge::count_events(&system.log).await, acknowledged);
    system.assert_consistent().await;
    let expected = judge::expected_documents(&system.log, &Options::default()).await;
    watcher.has(acknowledged, &expected).await;
}

async fn a_leader_that_was_frozen_does_no_harm(engine: Engine) {
    let system = System::start(engine).await;
    create(&system.services, "first").await;
    let other = system.services.another_projector();
    let projectors: [&Service; 2] = [&system.services.projector, &other];
    let load = Load::start(&system.services, 3);
    for round in 0..6 {
        // Whichever of them leads: one round hits the leader, the next one its successor.
        let frozen = projectors[round % 2];
        frozen.pause();
        tokio::time::sleep(LEASE * 2 + Duration::from_millis(round as u64 * 13)).await;
        frozen.resume();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let acknowledged = load.stop().await + 1;
    assert_eq!(judge::count_events(&system.log).await, acknowledged);
    system.assert_consistent().await;
    for projector in projectors {
        assert!(
            projector.log_contains("the lease changed hands leads=true"),
            "each of them has led"
        );
    }
}

async fn mysql_redis_and_the_projector_killed_in_turn_lose_nothing(engine: Engine) {
    let mysql = MySqlServer::start(engine);
    let redis = RedisServer::start_with(redis::Engine::Redis, &["--appendfsync", "always"]);
    let log = Database::create_on(mysql.url().to_owned()).await;
    let read_models = RedisDatabase::on(&redis, 0);
    let mut services = Services::start(places(&log, &read_models));
    create(&services, "first").await;
    let watcher = Watcher::start(&services);
    let load = Load::start(&services, 3);
    for round in 0..6_u64 {
        tokio::time::sleep(Duration::from_millis(100 + (round * 61) % 200)).await;
        match round % 3 {
            0 => {
                redis.kill();
                redis.restart();
            }
            1 => services.restart_projector(),
            _ => {
                mysql.kill();
                mysql.restart();
            }
        }
    }
    // What was acknowledged is there once, whatever became of the first answer.
    let acknowledged = load.stop().await + 1;
    assert_eq!(judge::count_events(&log).await, acknowledged);
    let usual = Options::default();
    judge::assert_becomes_consistent(&log, &read_models, &usual, PATIENCE).await;
    let expected = judge::expected_documents(&log, &usual).await;
    watcher.has(acknowledged, &expected).await;
}

async fn a_mysql_put_back_to_an_older_copy_takes_everybody_back(engine: Engine) {
    let mysql = MySqlServer::start(engine);
    let log = Database::create_on(mysql.url().to_owned()).await;
    let redis = RedisDatabase::fresh(redis::Engine::Redis);
    let services = Services::start(places(&log, &redis));
    create(&services, "first").await;
    let load = Load::start(&services, 2);
    tokio::time::sleep(Duration::from_millis(300)).await;
    load.stop().await;
    let older = mysql.save();
    let load = Load::start(&services, 2);
    tokio::time::sleep(Duration::from_millis(300)).await;
    load.stop().await;
    let (lost, sequence) = create(&services, "will be lost").await;
    until_visible(&services, &lost, sequence).await;

    mysql.restore(&older);
    // New events under the old numbers, by a command service that remembers the old ones.
    let load = Load::start(&services, 2);
    tokio::time::sleep(Duration::from_millis(300)).await;
    load.stop().await;
    let usual = Options::default();
    judge::assert_becomes_consistent(&log, &redis, &usual, PATIENCE).await;
    let expected = judge::expected_documents(&log, &usual).await;
    assert!(!expected.contains_key(&lost));
    // Whoever watches anew has the new past, and nothing of the old.
    let watcher = Watcher::start(&services);
    let events = judge::count_events(&log).await;
    watcher.has(events, &expected).await;
}

async fn sigterm_ends_every_service_in_order(engine: Engine) {
    let mut system = System::start(engine).await;
    let (circle_id, sequence) = create(&system.services, "tea").await;
    until_visible(&system.services, &circle_id, sequence).await;
    // The clients' connections are still open; they must not hold the drain.
    let Services {
        command,
        query,
        projector,
        ..
    } = &mut system.services;
    for service in [command, query, projector] {
        let status = service.terminate();
        assert!(status.success(), "{status}");
    }
}

/// The cases of Redis are the same on every log, so each kind of Redis gets one kind of log.
mod redis_alone {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn redis_flushed_or_put_back_to_an_older_copy_is_caught_up() {
        flushed_and_put_back(redis::Engine::Redis).await;
    }

    mod valkey {
        use super::*;

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn valkey_flushed_or_put_back_to_an_older_copy_is_caught_up() {
            flushed_and_put_back(redis::Engine::Valkey).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_valkey_cluster_that_loses_masters_is_caught_up() {
            cluster_loses_masters(redis::Engine::Valkey).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_redis_cluster_that_loses_masters_is_caught_up() {
        cluster_loses_masters(redis::Engine::Redis).await;
    }
}

async fn flushed_and_put_back(engine: redis::Engine) {
    let log = Database::create(Engine::MariaDb).await;
    let redis = RedisServer::start(engine);
    let read_models = RedisDatabase::on(&redis, 0);
    let services = Services::start(places(&log, &read_models));
    let (circle_id, sequence) = create(&services, "always there").await;
    until_visible(&services, &circle_id, sequence).await;
    let watcher = Watcher::start(&services);
    let reader = Reader::start(&services, circle_id);
    let load = Load::start(&services, 3);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let older = redis.save();
    tokio::time::sleep(Duration::from_millis(200)).await;
    for round in 0..3 {
        read_models.command(&["FLUSHALL"]);
        tokio::time::sleep(Duration::from_millis(150 + round * 41)).await;
    }
    redis.restore(&older);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let acknowledged = load.stop().await + 1;
    let usual = Options::default();
    judge::assert_becomes_consistent(&log, &read_models, &usual, PATIENCE).await;
    let expected = judge::expected_documents(&log, &usual).await;
    watcher.has(acknowledged, &expected).await;
    let (shown, unavailable) = reader.stop().await;
    assert!(shown > 0 && unavailable > 0, "{shown} {unavailable}");
}

async fn cluster_loses_masters(engine: redis::Engine) {
    const PARTITIONS: u16 = 6;
    let log = Database::create(Engine::MariaDb).await;
    let cluster = RedisCluster::start(engine);
    let services = Services::start(Places {
        mysql: log.url(),
        redis: cluster.url(),
        partitions: PARTITIONS,
        spare: 15,
        settings: Vec::new(),
    });
    create(&services, "first").await;
    let watcher = Watcher::start(&services);
    let load = Load::start(&services, 3);
    for n in 0..3 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        cluster.kill(n);
        tokio::time::sleep(Duration::from_millis(100)).await;
        cluster.restart(n);
        if n == 1 {
            // This one comes back with nothing.
            cluster.command_on(n, &["FLUSHALL"]);
        }
    }
    let acknowledged = load.stop().await + 1;
    assert_eq!(judge::count_events(&log).await, acknowledged);
    let spread = Options::default().partitions(PARTITIONS);
    judge::assert_becomes_consistent(&log, &cluster, &spread, PATIENCE).await;
    let expected = judge::expected_documents(&log, &spread).await;
    watcher.has(acknowledged, &expected).await;
}

fn places(log: &Database, redis: &RedisDatabase) -> Places {
    Places {
        mysql: log.url(),
        redis: redis.url(),
        partitions: 1,
        spare: 15,
        settings: Vec::new(),
    }
}
