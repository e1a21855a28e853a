//! Waiting for a sequence.

use std::sync::Arc;
use std::time::Duration;

use read_model::{Error, Follower};
use shared_domain::Sequence;
use test_support::redis::{Engine, RedisServer};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::rig::{Rig, eventually, in_time, private, shared};

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

// On servers of their own: other tests' hints come from every database.

pub(crate) async fn a_hint_alone_brings_news(engine: Engine) {
    let mut rig = private(engine).await;
    let follower = rig.follow();
    // The first look is due to the subscription, and later ones to hints, as
    // nobody waits.
    latest_becomes(&follower, Sequence::ZERO).await;
    for _ in 0..3 {
        rig.world.create("chess", 20);
        rig.catch_up().await;
        latest_becomes(&follower, rig.world.checkpoint.sequence).await;
    }
}

pub(crate) async fn a_lost_hint_is_made_up_for(engine: Engine) {
    let rig = private(engine).await;
    let follower = Arc::new(rig.follow());
    let waiter = Arc::clone(&follower);
    let waiting = tokio::spawn(async move { waiter.wait_for(Sequence::new(7)).await });
    latest_becomes(&follower, Sequence::ZERO).await;
    move_silently(&rig, 7).await;
    let woken = in_time("the waiter wakes", waiting).await.unwrap();
    assert_eq!(woken, Ok(Sequence::new(7)));
}

pub(crate) async fn a_checkpoint_that_goes_back_is_not_waited_past(engine: Engine) {
    let rig = private(engine).await;
    let follower = rig.follow();
    let seven = Sequence::new(7);
    move_silently(&rig, 7).await;
    assert_eq!(in_time("seven", follower.wait_for(seven)).await, Ok(seven));

    move_silently(&rig, 3).await;
    let short = Duration::from_millis(200);
    assert!(timeout(short, follower.wait_for(seven)).await.is_err());
    assert_eq!(follower.latest(), Some(Sequence::new(3)));
    let three = follower.wait_for(Sequence::new(3));
    assert_eq!(in_time("three", three).await, Ok(Sequence::new(3)));

    let () = rig.peek().await.send("DEL", &["circles:checkpoint"]).await;
    assert!(
        timeout(short, follower.wait_for(Sequence::ZERO))
            .await
            .is_err()
    );
    assert_eq!(follower.latest(), None);
    move_silently(&rig, 9).await;
    assert_eq!(
        in_time("nine", follower.wait_for(seven)).await,
        Ok(Sequence::new(9))
    );
}

pub(crate) async fn many_waiters_look_together(engine: Engine) {
    const WAITERS: usize = 200;
    let rig = private(engine).await;
    let follower = Arc::new(rig.follow());
    latest_becomes(&follower, Sequence::ZERO).await;
    let peek = rig.peek().await;
    peek.take_calls().await;

    let mut waiters = JoinSet::new();
    for _ in 0..WAITERS {
        let follower = Arc::clone(&follower);
        waiters.spawn(async move { follower.wait_for(Sequence::new(7)).await });
    }
    // Long enough for twenty looks of every waiter, if each looked for itself.
    let never = timeout(Duration::from_secs(1), waiters.join_next()).await;
    assert!(never.is_err());
    let calls = peek.take_calls().await;
    let looks = calls
        .iter()
        .find(|(command, _)| command == "get")
        .map_or(0, |(_, calls)| *calls);
    assert!((1..1_000).contains(&looks), "{looks} looks");

    move_silently(&rig, 7).await;
    let all = in_time("all wake", waiters.join_all()).await;
    assert_eq!(all, vec![Ok(Sequence::new(7)); WAITERS]);
}

pub(crate) async fn what_waiting_does_not_cure_is_answered(engine: Engine) {
    let rig = shared(engine).await;
    let follower = rig.follow();
    let () = rig
        .peek()
        .await
        .send("SET", &["circles:checkpoint", "?"])
        .await;
    let answer = in_time("an answer", follower.wait_for(Sequence::new(7))).await;
    assert!(matches!(answer, Err(Error::Corrupt { .. })), "{answer:?}");
}
