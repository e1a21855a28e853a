//! One command, so one round trip, for every operation.

use std::time::Duration;

use read_model::{Checkpoint, ListQuery, Order};
use shared_domain::{CircleId, Sequence};
use test_support::redis::Engine;

use crate::rig::{Peek, eventually, private};
use crate::world::every_list;

/// Fails unless these were all calls since the last time. The server counts
/// what a script calls as well; the script itself is the only round trip.
async fn calls_were(peek: &Peek, expected: &[(&str, u64)]) {
    let calls = peek.take_calls().await;
    let calls: Vec<(&str, u64)> = calls
        .iter()
        .map(|(name, calls)| (name.as_str(), *calls))
        .collect();
    assert_eq!(calls, expected);
}

pub(crate) async fn every_operation_is_one_command(engine: Engine) {
    let mut rig = private(engine).await;
    let peek = rig.peek().await;
    let ids: Vec<CircleId> = (0..1_000).map(|_| rig.world.create("chess", 20)).collect();
    rig.catch_up().await;
    // Both scripts are known from here on.
    rig.reader
        .list(&ListQuery::new(Order::Name, 1))
        .await
        .unwrap();
    peek.take_calls().await;

    rig.reader.get(ids[0]).await.unwrap();
    calls_were(&peek, &[("mget", 1)]).await;
    rig.reader.batch_get(&ids).await.unwrap();
    calls_were(&peek, &[("mget", 1)]).await;
    rig.projection.documents(&ids).await.unwrap();
    calls_were(&peek, &[("mget", 1)]).await;
    for query in every_list(50) {
        rig.reader.list(&query).await.unwrap();
        let inside = [("evalsha", 1), ("get", 1), ("mget", 1), ("zrange", 1)];
        calls_were(&peek, &inside).await;
    }
    for query in every_list(1_000) {
        rig.reader.list(&query).await.unwrap();
        // By 500 inside the script, and a last look for a successor.
        let inside = [("evalsha", 1), ("get", 1), ("mget", 2), ("zrange", 3)];
        calls_were(&peek, &inside).await;
    }

    for id in &ids {
        rig.world.update(*id, None, Some(30));
    }
    let expected: Checkpoint = rig.projection.checkpoint().await.unwrap().unwrap();
    peek.take_calls().await;
    rig.projection
        .apply(&expected, &rig.world.batch())
        .await
        .unwrap();
    let inside = [
        ("evalsha", 1),
        ("get", 1),
        ("publish", 1),
        ("set", 1_001),
        ("zadd", 3_000),
        ("zcard", 3),
        ("zrem", 3_000),
        ("zscore", 1_000),
    ];
    calls_were(&peek, &inside).await;
}

pub(crate) async fn nobody_asks_while_nobody_waits(engine: Engine) {
    let rig = private(engine).await;
    let peek = rig.peek().await;
    let follower = rig.follow();
    follower.wait_for(Sequence::ZERO).await.unwrap();
    // The subscription asks once more when it stands.
    eventually("it is quiet", async || {
        peek.take_calls().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        peek.take_calls().await.is_empty()
    })
    .await;
}
