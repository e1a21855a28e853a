//! Watches are told everything, once, in order.

use std::collections::BTreeMap;
use std::time::Duration;

use read_model::{
    ChangeEntry, Document, Feed, FeedOptions, Follower, ListQuery, Order, Told, Watch, WatchError,
};
use shared_domain::{CircleId, Sequence};
use test_support::redis::Engine;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::rig::{PARTITIONS, Rig, durable, eventually, in_time, private, shared, spread};
use crate::world::World;

/// A feed, and what it hears from.
pub(crate) struct Feeding {
    pub(crate) feed: Feed,
    _follower: Follower,
}

pub(crate) fn feeding<S>(rig: &Rig<S>, kept: usize, progress: Duration) -> Feeding {
    let follower = rig.follow();
    let options = FeedOptions { kept, progress };
    Feeding {
        feed: Feed::start(&rig.connection, &follower, options),
        _follower: follower,
    }
}

/// One that says nothing but changes.
pub(crate) fn quiet<S>(rig: &Rig<S>, kept: usize) -> Feeding {
    feeding(rig, kept, Duration::from_secs(3_600))
}

impl Feeding {
    /// A watch of all circles, and where it begins.
    pub(crate) async fn watch(&self, from: Option<u64>) -> (Watch, u64) {
        self.watch_of(from, Vec::new()).await
    }

    async fn watch_of(&self, from: Option<u64>, circles: Vec<CircleId>) -> (Watch, u64) {
        let mut watch = in_time("a watch", self.feed.watch(from.map(Sequence::new), circles))
            .await
            .unwrap();
        match next(&mut watch).await {
            Told::Progress(sequence) => (watch, sequence.get()),
            other => panic!("it does not say where it begins: {other:?}"),
        }
    }

    pub(crate) async fn refused(&self, from: u64) -> WatchError {
        let watch = self.feed.watch(Some(Sequence::new(from)), Vec::new());
        match in_time("a watch", watch).await {
            Err(error) => error,
            Ok(_) => panic!("a watch from {from}"),
        }
    }
}

pub(crate) async fn next(watch: &mut Watch) -> Told {
    in_time("something to tell", watch.next()).await.unwrap()
}

pub(crate) async fn next_change(watch: &mut Watch) -> ChangeEntry {
    loop {
        if let Told::Change(entry) = next(watch).await {
            return (*entry).clone();
        }
    }
}

pub(crate) async fn next_changes(watch: &mut Watch, count: usize) -> Vec<ChangeEntry> {
    let mut entries = Vec::new();
    while entries.len() < count {
        entries.push(next_change(watch).await);
    }
    entries
}

/// Fails if it tells anything for a while.
pub(crate) async fn says_nothing(watch: &mut Watch) {
    let told = timeout(Duration::from_millis(300), watch.next()).await;
    assert!(told.is_err(), "{told:?}");
}

pub(crate) fn happen(world: &mut World, n: usize) {
    let ids: Vec<CircleId> = world.circles.keys().copied().collect();
    match (n % 5, ids.get(n % ids.len().max(1))) {
        (0 | 1, _) | (_, None) => drop(world.create("chess", 3 + n as i64 % 1_000)),
        (4, Some(id)) => world.delete(*id),
        (_, Some(id)) => world.update(*id, None, Some(3 + n as i64 % 1_000)),
    }
}

/// Events and batches of several of them.
pub(crate) async fn go_on<S>(rig: &mut Rig<S>, events: usize, together: usize) {
    for n in 0..events {
        happen(&mut rig.world, n);
        if n % together == 0 {
            rig.catch_up().await;
        }
    }
    rig.catch_up().await;
}

/// Circles of both of two partitions, in this order.
pub(crate) async fn two_partitions<S>(rig: &mut Rig<S>) -> [CircleId; 2] {
    let layout = rig.connection.layout();
    let ids: Vec<CircleId> = (0..10).map(|_| rig.world.create("chess", 20)).collect();
    rig.catch_up().await;
    let of = |n| ids.iter().rfind(|id| layout.partition_of(**id) == n);
    [0, 1].map(|n| *of(n).expect("ten circles are not all in one partition"))
}

pub(crate) async fn every_watch_is_told_everything_in_order(engine: Engine) {
    for partitions in PARTITIONS {
        // A ring that holds all of it, and one that holds little.
        for kept in [16_384, 64] {
            let mut rig = spread(engine, partitions).await;
            go_on(&mut rig, 700, 50).await;
            let feeding = quiet(&rig, kept);
            let mut watches = Vec::new();
            for from in [None, Some(0), Some(1), Some(350), Some(699), Some(700)] {
                watches.push(feeding.watch(from).await);
            }
            for batch in 0..20 {
                go_on(&mut rig, 10, 3 + batch % 3).await;
                let all = rig.world.changes.len() as u64;
                for (watch, begin) in &mut watches {
                    let missing = all - *begin;
                    let told = next_changes(watch, missing as usize).await;
                    assert_eq!(told, rig.world.changes[*begin as usize..]);
                    *begin = all;
                }
            }
        }
    }
}

/// What anyone would do who keeps a copy.
pub(crate) async fn a_list_and_a_watch_from_there_miss_nothing(engine: Engine) {
    for partitions in PARTITIONS {
        let mut rig = spread(engine, partitions).await;
        go_on(&mut rig, 100, 20).await;
        let feeding = quiet(&rig, 128);
        let reader = rig.reader.clone();
        let copies = async {
            let mut copies = Vec::new();
            for _ in 0..20 {
                let query = ListQuery::new(Order::CreateTime, 1_000);
                let page = reader.list(&query).await.unwrap();
                assert_eq!(page.next, None);
                let (watch, begin) = feeding.watch(Some(page.sequence.get())).await;
                assert_eq!(begin, page.sequence.get());
                copies.push((page.documents, watch));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            copies
        };
        let (copies, ()) = tokio::join!(copies, go_on(&mut rig, 1_000, 3));
        let last = rig.world.checkpoint.sequence;
        let expected: Vec<Document> = rig
            .world
            .circles
            .values()
            .map(|(one, _)| one.clone())
            .collect();
        let mut slow = 0;
        for (documents, mut watch) in copies {
            let mut copy: BTreeMap<CircleId, Document> = BTreeMap::new();
            for document in documents {
                copy.insert(document.id, document);
            }
            let mut sequence = Sequence::ZERO;
            while sequence < last {
                let entry = match in_time("a change", watch.next()).await {
                    Ok(Told::Change(entry)) => entry,
                    Ok(Told::Progress(_)) => continue,
                    Err(WatchError::TooSlow { resume_from }) => {
                        slow += 1;
                        let from = Some(resume_from.get());
                        watch = feeding.watch(from).await.0;
                        continue;
                    }
                    Err(error) => panic!("{error}"),
                };
                assert!(entry.position.sequence > sequence);
                sequence = entry.position.sequence;
                match &entry.document {
                    Some(document) => drop(copy.insert(document.id, document.clone())),
                    None => drop(copy.remove(&entry.circle_id)),
                }
            }
            assert!(copy.values().eq(&expected));
        }
        assert!(slow > 0, "no watch was ever too slow");
    }
}

pub(crate) async fn a_watch_goes_on_where_another_ended(engine: Engine) {
    let mut rig = shared(engine).await;
    let feeding = quiet(&rig, 16_384);
    go_on(&mut rig, 100, 10).await;
    let mut told = Vec::new();
    let mut from = 0;
    while told.len() < 100 {
        let (mut watch, begin) = feeding.watch(Some(from)).await;
        assert_eq!(begin, from);
        let count = (1 + told.len() % 7).min(100 - told.len());
        told.extend(next_changes(&mut watch, count).await);
        from = told.last().unwrap().position.sequence.get();
    }
    assert_eq!(told, rig.world.changes);
}

pub(crate) async fn a_watch_of_some_circles_is_told_of_these(engine: Engine) {
    let mut rig = shared(engine).await;
    let ids: Vec<CircleId> = (0..10).map(|_| rig.world.create("chess", 20)).collect();
    rig.catch_up().await;
    let feeding = feeding(&rig, 16_384, Duration::from_millis(50));
    let watched = vec![ids[7], ids[2]];
    let (mut live, begin) = feeding.watch_of(None, watched.clone()).await;
    assert_eq!(begin, 10);
    let (mut back, _) = feeding.watch_of(Some(0), watched.clone()).await;
    for (n, id) in (0..).zip(ids.iter().cycle().take(100)) {
        rig.world.update(*id, None, Some(30 + n));
        rig.catch_up().await;
    }
    let expected = |from: usize| -> Vec<ChangeEntry> {
        let all = rig.world.changes[from..].iter();
        all.filter(|entry| watched.contains(&entry.circle_id))
            .cloned()
            .collect()
    };
    assert_eq!(next_changes(&mut live, 20).await, expected(10));
    assert_eq!(next_changes(&mut back, 22).await, expected(0));
    // Nothing else happened to them up to the end.
    for watch in [&mut live, &mut back] {
        eventually("it comes to the end", async || {
            next(watch).await == Told::Progress(rig.world.checkpoint.sequence)
        })
        .await;
    }
}

pub(crate) async fn a_silent_watch_says_how_far_it_is(engine: Engine) {
    for partitions in PARTITIONS {
        let mut rig = spread(engine, partitions).await;
        let feeding = feeding(&rig, 16_384, Duration::from_millis(50));
        let (mut watch, begin) = feeding.watch(None).await;
        assert_eq!(begin, 0);
        for _ in 0..3 {
            assert_eq!(next(&mut watch).await, Told::Progress(Sequence::ZERO));
        }
        go_on(&mut rig, 7, 100).await;
        next_changes(&mut watch, 7).await;
        let seven = Told::Progress(Sequence::new(7));
        assert_eq!(next(&mut watch).await, seven);
        assert_eq!(next(&mut watch).await, seven);
    }
}

pub(crate) async fn a_watch_from_what_is_to_come_waits_for_it(engine: Engine) {
    for partitions in PARTITIONS {
        let mut rig = spread(engine, partitions).await;
        go_on(&mut rig, 5, 100).await;
        let feeding = feeding(&rig, 16_384, Duration::from_millis(50));
        let (mut watch, begin) = feeding.watch(Some(8)).await;
        assert_eq!(begin, 8);
        for _ in 0..4 {
            let eight = Told::Progress(Sequence::new(8));
            assert_eq!(next(&mut watch).await, eight);
            go_on(&mut rig, 1, 100).await;
        }
        go_on(&mut rig, 1, 100).await;
        assert_eq!(next_changes(&mut watch, 2).await, rig.world.changes[8..]);
    }
}

pub(crate) async fn what_is_not_kept_is_refused(engine: Engine) {
    let mut rig = shared(engine).await;
    for _ in 0..30 {
        happen(&mut rig.world, 0);
        let standing = rig.standing().await;
        let partition = rig.partition().clone().keeping(10);
        partition
            .apply(&standing, &rig.world.batch())
            .await
            .unwrap();
    }
    let page = rig.partition().changes_before(None, 1).await.unwrap();
    let floor = page.floor.get();
    assert_eq!(floor, 20);
    let feeding = quiet(&rig, 16_384);
    for from in [0, 1, floor - 1] {
        let from = Sequence::new(from);
        assert_eq!(
            feeding.refused(from.get()).await,
            WatchError::NotKept { from }
        );
    }
    let (mut watch, _) = feeding.watch(Some(floor)).await;
    assert_eq!(next_changes(&mut watch, 10).await, rig.world.changes[20..]);
}

pub(crate) async fn a_watch_that_is_too_slow_is_cut_off(engine: Engine) {
    let mut rig = shared(engine).await;
    let feeding = quiet(&rig, 64);
    let (mut slow, _) = feeding.watch(None).await;
    let (mut fast, _) = feeding.watch(None).await;
    for batch in 0..30 {
        go_on(&mut rig, 10, 100).await;
        let told = next_changes(&mut fast, 10).await;
        assert_eq!(told, rig.world.changes[batch * 10..]);
        if batch < 2 {
            next_changes(&mut slow, 10).await;
        }
    }
    let error = in_time("an end", slow.next()).await;
    let resume_from = Sequence::new(20);
    assert_eq!(error, Err(WatchError::TooSlow { resume_from }));
    let (mut again, _) = feeding.watch(Some(20)).await;
    assert_eq!(next_changes(&mut again, 280).await, rig.world.changes[20..]);
}

pub(crate) async fn a_thousand_watches_are_one_reader(engine: Engine) {
    const WATCHES: usize = 1_000;
    const BATCHES: usize = 20;
    let mut rig = private(engine).await;
    let feeding = quiet(&rig, 16_384);
    let peek = rig.peek().await;
    peek.take_calls().await;
    let mut watches = JoinSet::new();
    for _ in 0..WATCHES {
        let (mut watch, _) = feeding.watch(None).await;
        watches.spawn(async move { next_changes(&mut watch, BATCHES).await });
    }
    let reads = |calls: Vec<(String, u64)>| {
        let read = calls.into_iter().find(|(command, _)| command == "xrange");
        read.map_or(0, |(_, calls)| calls)
    };
    let beginning = reads(peek.take_calls().await);
    for _ in 0..BATCHES {
        go_on(&mut rig, 1, 1).await;
    }
    for told in in_time("all are told", watches.join_all()).await {
        assert_eq!(told, rig.world.changes);
    }
    // Each beginning looks at the present, and then each batch is read once,
    // besides looks by the clock.
    let reads = reads(peek.take_calls().await);
    assert!(
        beginning <= 2 * WATCHES as u64,
        "{beginning} reads to begin"
    );
    assert!(reads < 200, "{reads} reads");

    // Nobody watches any longer.
    eventually("it is quiet", async || {
        peek.take_calls().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        peek.take_calls().await.is_empty()
    })
    .await;
    // It begins anew.
    let (mut watch, begin) = feeding.watch(None).await;
    assert_eq!(begin, BATCHES as u64);
    go_on(&mut rig, 1, 1).await;
    assert_eq!(
        next_changes(&mut watch, 1).await,
        rig.world.changes[BATCHES..]
    );
}

pub(crate) async fn an_outage_is_waited_out(engine: Engine) {
    let mut rig = durable(engine).await;
    go_on(&mut rig, 30, 10).await;
    let feeding = feeding(&rig, 16_384, Duration::from_millis(50));
    let (mut live, _) = feeding.watch(None).await;
    let (mut back, _) = feeding.watch(Some(0)).await;
    let told = next_changes(&mut back, 10).await;
    assert_eq!(told, rig.world.changes[..10]);
    rig.server.kill();
    // How far it is can't be said.
    eventually("it is silent", async || {
        timeout(Duration::from_millis(500), live.next())
            .await
            .is_err()
    })
    .await;
    let refused = feeding.refused(0).await;
    assert!(matches!(refused, WatchError::Read(_)), "{refused:?}");

    rig.server.restart();
    in_time("it connects", rig.connection.connected())
        .await
        .unwrap();
    go_on(&mut rig, 10, 3).await;
    assert_eq!(next_changes(&mut live, 10).await, rig.world.changes[30..]);
    assert_eq!(next_changes(&mut back, 30).await, rig.world.changes[10..]);
}
