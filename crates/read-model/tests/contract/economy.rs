//! One command, so one round trip, for every operation.

use std::time::Duration;

use futures_util::future::join_all;
use read_model::{HistoryQuery, ListQuery, Moment, Order, Outcome};
use shared_domain::{CircleId, Sequence, Version};
use test_support::redis::Engine;
use tokio::time::timeout;

use crate::feed::{next_changes, quiet, two_partitions};
use crate::follow::wait_for;
use crate::rig::{Peek, eventually, in_time, private, private_spread, shared};
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
    let history = HistoryQuery {
        after: None,
        descending: true,
        limit: 50,
    };
    let version = Moment::Version(Version::FIRST);
    // The scripts are known from here on.
    for prefix in ["", "chess"] {
        let mut query = ListQuery::new(Order::CreateTime, 1);
        query.name_prefix = prefix.to_owned();
        rig.reader.list(&query).await.unwrap();
    }
    rig.reader.history(ids[0], history).await.unwrap();
    rig.latest(&ids[..1]).await;
    peek.take_calls().await;

    rig.reader.get(ids[0]).await.unwrap();
    calls_were(&peek, &[("mget", 1)]).await;
    rig.reader.batch_get(&ids).await.unwrap();
    calls_were(&peek, &[("mget", 1)]).await;
    rig.latest(&ids).await;
    let looks = ids.len() as u64;
    calls_were(&peek, &[("evalsha", 1), ("lindex", looks)]).await;
    rig.partition().standing().await.unwrap();
    calls_were(&peek, &[("mget", 1)]).await;
    for limit in [50, 1_000] {
        for query in every_list(limit) {
            rig.reader.list(&query).await.unwrap();
            calls_were(&peek, &[("evalsha", 1), ("get", 1), ("zrange", 1)]).await;
        }
    }
    let past = [
        ("evalsha", 1),
        ("get", 1),
        ("hget", 1),
        ("llen", 1),
        ("lrange", 1),
    ];
    rig.reader.history(ids[0], history).await.unwrap();
    calls_were(&peek, &past).await;
    rig.reader.as_of(ids[0], version).await.unwrap();
    calls_were(&peek, &past).await;
    rig.reader
        .as_of(ids[0], Moment::Time(rig.world.clock))
        .await
        .unwrap();
    let mut found = past.to_vec();
    found.insert(3, ("lindex", 1));
    calls_were(&peek, &found).await;
}

pub(crate) async fn a_batch_is_one_command(engine: Engine) {
    let mut rig = private(engine).await;
    let peek = rig.peek().await;
    let ids: Vec<CircleId> = (0..1_000).map(|_| rig.world.create("chess", 20)).collect();
    rig.catch_up().await;
    for id in &ids {
        rig.world.update(*id, None, Some(30));
    }
    let (expected, batch) = (rig.standing().await, rig.world.batch());
    peek.take_calls().await;
    rig.partition().apply(&expected, &batch).await.unwrap();
    let inside = [
        ("evalsha", 1),
        ("get", 3),
        ("hlen", 1),
        ("llen", 1_000),
        ("mset", 2),
        ("publish", 1),
        ("rpush", 1_000),
        ("set", 1),
        ("xadd", 1_000),
        ("xlen", 2),
        ("zadd", 6),
        ("zcard", 3),
        ("zrem", 3),
        ("zscore", 1_000),
    ];
    calls_were(&peek, &inside).await;
}

pub(crate) async fn a_filter_looks_at_a_bounded_number_of_circles(engine: Engine) {
    let mut rig = private(engine).await;
    let peek = rig.peek().await;
    for _ in 0..3 {
        for n in 0..1_000 {
            rig.world.create(["ab", "cd"][n % 2], [20, 30][n / 2 % 2]);
        }
        rig.catch_up().await;
    }
    let mut query = ListQuery::new(Order::CreateTime, 50);
    query.name_prefix = "ab".to_owned();
    query.max_capacity = Some(20);
    rig.reader.list(&query).await.unwrap();
    for (order, lexcounts) in [
        (Order::Name, 2),
        (Order::Capacity, 2),
        (Order::CreateTime, 2),
    ] {
        query.order = order;
        peek.take_calls().await;
        rig.reader.list(&query).await.unwrap();
        let calls = peek.take_calls().await;
        let count = |name: &str| {
            let call = calls.iter().find(|(command, _)| command == name);
            call.map_or(0, |(_, calls)| *calls)
        };
        assert_eq!(count("evalsha"), 1);
        assert_eq!(count("zlexcount"), lexcounts);
        assert!(count("zrange") <= 5, "{calls:?}");
    }
}

/// Who asks while a command is on its way shares the next one.
pub(crate) async fn many_gets_at_once_share_commands(engine: Engine) {
    const CALLS: usize = 1_000;
    let mut rig = private(engine).await;
    let ids: Vec<CircleId> = (0..100).map(|_| rig.world.create("chess", 20)).collect();
    rig.catch_up().await;
    let peek = rig.peek().await;
    peek.take_calls().await;
    let calls = (0..CALLS).map(|n| rig.reader.get(ids[n % ids.len()]));
    for (n, found) in join_all(calls).await.into_iter().enumerate() {
        let expected = rig.world.document(ids[n % ids.len()]);
        assert_eq!(found.unwrap().value, expected);
    }
    let calls = peek.take_calls().await;
    let [(command, calls)] = calls.as_slice() else {
        panic!("{calls:?}")
    };
    assert_eq!(command, "mget");
    assert!(*calls <= 20, "{calls} commands");
}

/// A call that is given up takes nobody's answer with it.
pub(crate) async fn gets_that_are_given_up_do_no_harm(engine: Engine) {
    let mut rig = shared(engine).await;
    let ids: Vec<CircleId> = (0..100).map(|_| rig.world.create("chess", 20)).collect();
    rig.catch_up().await;
    for round in 0..50 {
        let gets = ids.iter().enumerate().map(|(n, id)| {
            let get = rig.reader.get(*id);
            async move {
                if n % 2 == round % 2 {
                    // Polled once, then dropped.
                    let _ = timeout(Duration::ZERO, get).await;
                    None
                } else {
                    Some(get.await.unwrap().value.unwrap().id)
                }
            }
        });
        let found = in_time("all answers", join_all(gets)).await;
        for (found, id) in found.into_iter().zip(&ids) {
            assert!(found.is_none_or(|found| found == *id));
        }
    }
}

/// Each get sees what was written before it began.
pub(crate) async fn a_get_sees_what_was_written_before(engine: Engine) {
    let mut rig = shared(engine).await;
    let id = rig.world.create("chess", 20);
    rig.catch_up().await;
    let reader = rig.reader.clone();
    let others = tokio::spawn(async move {
        loop {
            join_all((0..50).map(|_| reader.get(id))).await;
        }
    });
    for capacity in 0..100 {
        rig.world.update(id, None, Some(3 + capacity));
        rig.catch_up().await;
        let found = rig.reader.get(id).await.unwrap();
        assert_eq!(found.value, rig.world.document(id));
        assert_eq!(found.sequence, rig.world.checkpoint.sequence);
    }
    others.abort();
}

/// What is read ahead of a partition that is far behind is bounded, and then
/// it is waited for at leisure.
pub(crate) async fn a_partition_that_is_behind_is_not_pressed(engine: Engine) {
    let mut rig = private_spread(engine, 2).await;
    let [a, _] = two_partitions(&mut rig).await;
    for n in 0..2_100 {
        rig.world.update(a, None, Some(20 + n % 2));
    }
    let batches = rig.world.batches(rig.connection.layout());
    let standing = rig.standing().await;
    rig.partition().apply(&standing, &batches[0]).await.unwrap();
    let feeding = quiet(&rig, 16_384);
    let (mut watch, begin) = feeding.watch(None).await;
    assert_eq!(begin, 10);
    let peek = rig.peek().await;
    eventually("it asks now and then", async || {
        peek.take_calls().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let calls = peek.take_calls().await;
        calls.iter().map(|(_, calls)| calls).sum::<u64>() < 60
    })
    .await;
    // Others can begin meanwhile.
    feeding.watch(None).await;

    let standing = rig.partitions[1].standing().await.unwrap().unwrap();
    let applied = rig.partitions[1].apply(&standing, &batches[1]);
    assert!(matches!(applied.await, Ok(Outcome::Applied(_))));
    let told = next_changes(&mut watch, 2_100).await;
    assert_eq!(told, rig.world.changes[10..]);
}

pub(crate) async fn nobody_asks_while_nobody_waits(engine: Engine) {
    let rig = private(engine).await;
    let peek = rig.peek().await;
    let follower = rig.follow();
    wait_for(&follower, Sequence::ZERO).await.unwrap();
    // The subscription comes a little later.
    eventually("it is quiet", async || {
        peek.take_calls().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        peek.take_calls().await.is_empty()
    })
    .await;
}
