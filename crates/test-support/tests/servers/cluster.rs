//! Three masters that share the slots.

use std::time::{Duration, Instant};

use test_support::judge::{Holder as _, Value};
use test_support::redis::{Engine, RedisCluster};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn a_cluster_has_keys_on_all_masters(engine: Engine) {
    let cluster = RedisCluster::start(engine);
    let url = cluster.url();
    assert!(url.starts_with("redis-cluster://127.0.0.1:"), "{url}");
    assert_eq!(url.matches("node=127.0.0.1:").count(), 2, "{url}");

    let keys: Vec<String> = (0..12).map(|n| format!("{{{n}}}:key")).collect();
    let mut owners = Vec::new();
    for key in &keys {
        let owner = cluster.owner_of(key);
        assert_eq!(cluster.command_on(owner, &["SET", key, "here"]), ["OK"]);
        owners.push(owner);
        // Another one does not take it.
        assert!(
            cluster
                .command_on((owner + 1) % 3, &["GET", key])
                .is_empty()
        );
        assert_eq!(cluster.command_for(key, &["GET", key]), ["here"]);
    }
    owners.sort_unstable();
    owners.dedup();
    assert_eq!(owners, [0, 1, 2]);

    let mut sorted = keys.clone();
    sorted.sort();
    assert_eq!(cluster.keys_of_all(), sorted);
    let world = cluster.world();
    assert!(world.keys().eq(&sorted));
    assert_eq!(world.get(&keys[0]), Some(&Value::Text("here".to_owned())));
}

pub(crate) async fn a_master_dies_and_comes_back_with_its_keys(engine: Engine) {
    let cluster = RedisCluster::start(engine);
    let key = "{1}:key";
    let owner = cluster.owner_of(key);
    let other = (owner + 1) % 3;
    cluster.command_on(owner, &["SET", key, "here"]);
    cluster.kill(owner);
    let deadline = Instant::now() + PATIENCE;
    let says = |text: &str| {
        let state = cluster.command_on(other, &["CLUSTER", "INFO"]);
        state.concat().contains(text)
    };
    while !says("cluster_state:fail") {
        assert!(Instant::now() < deadline, "nobody misses it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let url = cluster.url();
    cluster.restart(owner);
    assert!(says("cluster_state:ok"));
    assert_eq!(cluster.url(), url);
    assert_eq!(cluster.command_for(key, &["GET", key]), ["here"]);

    let saved = cluster.node(owner).save();
    cluster.wait_until_whole();
    cluster.command_on(owner, &["DEL", key]);
    cluster.node(owner).restore(&saved);
    cluster.wait_until_whole();
    assert_eq!(cluster.command_for(key, &["GET", key]), ["here"]);
}
