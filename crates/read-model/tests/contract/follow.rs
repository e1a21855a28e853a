//! Waiting for a sequence.

use std::sync::Arc;
use std::time::Duration;

use read_model::{Error, Follower, Now, Outcome};
use shared_domain::{CircleId, Sequence};
use test_support::redis::{Engine, RedisServer};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::rig::{Rig, clustered, eventually, in_time, private, private_spread};

const APPLIED: &str = "circles:applied";

/// Moves the checkpoint as a lost hint would leave it: silently.
async fn move_silently(rig: &Rig<RedisServer>, sequence: u64) {
    let id = "01890000-0000-7000-8000-000000000001";
    let checkpoint = format!(r#"{{"sequence":{sequence},"event_id":"{id}"}}"#);
    let () = rig
        .peek()
        .await
        .send("SET", &["circles:checkpoint", &checkpoint])
        .await;
}

pub(crate) async fn latest_becomes(follower: &Follower, sequence: Sequence) {
    let becomes = async || follower.latest() == Some(sequence);
    eventually("the follower hears of it", becomes).await;
}

/// Waits as a query does that has just read something older.
pub(crate) async fn wait_for(follower: &Follower, sequence: Sequence) -> Result<Now, Error> {
    follower.news(follower.now(), sequence, None).await
}

/// Waits for the subscription.
pub(crate) async fn is_listening<S>(rig: &Rig<S>) {
    eventually("the channel is heard", async || {
        let subscribers: Vec<String> = rig.peek().await.send("PUBSUB", &["NUMSUB", APPLIED]).await;
        subscribers[1] != "0"
    })
    .await;
}

// On servers of their own: other tests' hints come from every database.

pub(crate) async fn a_hint_alone_brings_news(engine: Engine) {
    let mut rig = private(engine).await;
    let follower = rig.follow();
    is_listening(&rig).await;
    let peek = rig.peek().await;
    for _ in 0..3 {
        rig.world.create("chess", 20);
        rig.catch_up().await;
        peek.take_calls().await;
        latest_becomes(&follower, rig.world.checkpoint.sequence).await;
        // Nobody looked.
        assert_eq!(peek.take_calls().await, []);
    }
}

pub(crate) async fn hints_of_all_partitions_are_waited_for(engine: Engine) {
    let mut rig = private_spread(engine, 4).await;
    let follower = Arc::new(rig.follow());
    is_listening(&rig).await;
    for _ in 0..20 {
        rig.world.create("chess", 20);
    }
    let sequence = rig.world.checkpoint.sequence;
    let layout = rig.connection.layout();
    let in_last = |id: &CircleId| layout.partition_of(*id) == 3;
    let (behind, ahead) = {
        let ids = || rig.world.circles.keys().copied();
        (
            ids().find(in_last).unwrap(),
            ids().find(|id| !in_last(id)).unwrap(),
        )
    };
    let waiting = [None, Some(behind), Some(ahead)].map(|of| {
        let follower = Arc::clone(&follower);
        tokio::spawn(async move { follower.news(follower.now(), sequence, of).await })
    });
    let [all, behind, ahead] = waiting;
    let batches = rig.world.batches(layout);
    for (partition, batch) in rig.partitions.iter().zip(&batches).take(3) {
        let standing = partition.standing().await.unwrap().unwrap();
        partition.apply(&standing, batch).await.unwrap();
    }
    in_time("one partition is enough", ahead)
        .await
        .unwrap()
        .unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!all.is_finished() && !behind.is_finished());
    let standing = rig.partitions[3].standing().await.unwrap().unwrap();
    rig.partitions[3]
        .apply(&standing, &batches[3])
        .await
        .unwrap();
    in_time("all", all).await.unwrap().unwrap();
    in_time("the last", behind).await.unwrap().unwrap();
}

pub(crate) async fn a_lost_hint_is_made_up_for(engine: Engine) {
    let rig = private(engine).await;
    let follower = Arc::new(rig.follow());
    let waiter = Arc::clone(&follower);
    let waiting = tokio::spawn(async move { wait_for(&waiter, Sequence::new(7)).await });
    latest_becomes(&follower, Sequence::ZERO).await;
    move_silently(&rig, 7).await;
    in_time("the waiter wakes", waiting).await.unwrap().unwrap();
    assert_eq!(follower.latest(), Some(Sequence::new(7)));
}

/// One node of a cluster keeps nobody waiting who needs another.
pub(crate) async fn hints_are_heard_while_a_look_takes_long(engine: Engine) {
    let mut rig = clustered(engine, Duration::from_secs(10)).await;
    let follower = rig.follow();
    let mut listening = None;
    eventually("the channel is heard", async || {
        let is_heard = |n: &usize| {
            let subscribers = rig.server.command_on(*n, &["PUBSUB", "NUMSUB", APPLIED]);
            subscribers.last().is_some_and(|count| count != "0")
        };
        listening = (0..3).find(is_heard);
        listening.is_some()
    })
    .await;
    let silent = (listening.unwrap() + 1) % 3;
    let key = |n: usize| format!("{{{n}}}:circles:checkpoint");
    let works = (0..8).find(|n| rig.server.owner_of(&key(*n)) != silent);
    let works = works.unwrap();
    rig.server.node(silent).pause();
    // The first one may be heard of before the look.
    for _ in 0..3 {
        let id = loop {
            let id = rig.world.create("chess", 20);
            if rig.connection.layout().partition_of(id) == works {
                break id;
            }
        };
        let awaited = rig.world.checkpoint.sequence;
        let waiting = follower.news(follower.now(), awaited, Some(id));
        let batch = rig.world.batches(rig.connection.layout()).remove(works);
        let partition = &rig.partitions[works];
        let standing = partition.standing().await.unwrap().unwrap();
        let happens = async {
            // Once a look is on its way.
            tokio::time::sleep(Duration::from_millis(100)).await;
            partition.apply(&standing, &batch).await
        };
        let both = async { tokio::join!(waiting, happens) };
        let (news, applied) = timeout(Duration::from_secs(5), both).await.unwrap();
        assert!(news.is_ok(), "{news:?}");
        assert!(matches!(applied, Ok(Outcome::Applied(_))), "{applied:?}");
    }
    rig.server.node(silent).resume();
}

/// Whoever reads after a wrong hint, and waits on, is not woken by the same one.
pub(crate) async fn a_wrong_hint_wakes_once(engine: Engine) {
    let rig = private(engine).await;
    let follower = rig.follow();
    is_listening(&rig).await;
    let peek = rig.peek().await;
    let before = follower.now();
    let seven = Sequence::new(7);
    let waiting = follower.news(before, seven, None);
    let (woken, ()) = tokio::join!(waiting, async {
        let () = peek.send("PUBLISH", &["circles:applied", "0 7"]).await;
    });
    let woken = woken.unwrap();
    assert_ne!(woken, before);
    let short = Duration::from_millis(200);
    assert!(
        timeout(short, follower.news(woken, seven, None))
            .await
            .is_err()
    );
    for nonsense in ["", "7", "0 x", "9 7", "-1 7", "0 7 7"] {
        let () = peek.send("PUBLISH", &["circles:applied", nonsense]).await;
    }
    assert!(
        timeout(short, follower.news(woken, seven, None))
            .await
            .is_err()
    );
}

pub(crate) async fn a_checkpoint_that_goes_back_is_not_waited_past(engine: Engine) {
    let rig = private(engine).await;
    let follower = rig.follow();
    let seven = Sequence::new(7);
    move_silently(&rig, 7).await;
    in_time("seven", wait_for(&follower, seven)).await.unwrap();

    move_silently(&rig, 3).await;
    latest_looks(&follower).await;
    let short = Duration::from_millis(200);
    assert!(timeout(short, wait_for(&follower, seven)).await.is_err());
    assert_eq!(follower.latest(), Some(Sequence::new(3)));
    let three = wait_for(&follower, Sequence::new(3));
    in_time("three", three).await.unwrap();

    let () = rig.peek().await.send("DEL", &["circles:checkpoint"]).await;
    latest_looks(&follower).await;
    let zero = wait_for(&follower, Sequence::ZERO);
    assert!(timeout(short, zero).await.is_err());
    assert_eq!(follower.latest(), None);
    move_silently(&rig, 9).await;
    in_time("nine", wait_for(&follower, seven)).await.unwrap();
}

/// Lets the follower look twice, so that it knows of what was done before.
async fn latest_looks(follower: &Follower) {
    let never = wait_for(follower, Sequence::new(u64::MAX));
    assert!(timeout(Duration::from_millis(200), never).await.is_err());
}

pub(crate) async fn many_waiters_look_together(engine: Engine) {
    const WAITERS: usize = 200;
    let rig = private(engine).await;
    let follower = Arc::new(rig.follow());
    let peek = rig.peek().await;
    peek.take_calls().await;

    let mut waiters = JoinSet::new();
    for _ in 0..WAITERS {
        let follower = Arc::clone(&follower);
        waiters.spawn(async move { wait_for(&follower, Sequence::new(7)).await });
    }
    // Long enough for twenty looks of every waiter, if each looked for itself.
    let never = timeout(Duration::from_secs(1), waiters.join_next()).await;
    assert!(never.is_err());
    let calls = peek.take_calls().await;
    let looks = calls
        .iter()
        .find(|(command, _)| command == "get")
        .map_or(0, |(_, calls)| *calls);
    assert!((1..100).contains(&looks), "{looks} looks");

    move_silently(&rig, 7).await;
    for woken in in_time("all wake", waiters.join_all()).await {
        woken.unwrap();
    }
}

pub(crate) async fn what_waiting_does_not_cure_is_answered(engine: Engine) {
    let rig = private(engine).await;
    let follower = rig.follow();
    let () = rig
        .peek()
        .await
        .send("SET", &["circles:checkpoint", "?"])
        .await;
    let answer = in_time("an answer", wait_for(&follower, Sequence::new(7))).await;
    assert!(matches!(answer, Err(Error::Corrupt { .. })), "{answer:?}");
}
