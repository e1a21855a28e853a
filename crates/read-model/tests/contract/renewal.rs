//! Watches while the read model is taken back, mended, built anew, or lost.

use std::collections::BTreeMap;
use std::time::Duration;

use read_model::{
    ChangeEntry, Document, Error, Outcome, Parked, ParkedEvent, RepairMode, Repaired, Standing,
    Told, Watch, WatchError,
};
use shared_domain::{CircleId, Sequence, Version};
use test_support::redis::Engine;
use tokio::time::timeout;

use crate::feed::{
    feeding, go_on, happen, next, next_change, next_changes, quiet, says_nothing, two_partitions,
};
use crate::rig::{
    PARTITIONS, Peek, Rig, eventually, in_time, private, private_spread, shared, spread,
};
use crate::world::{World, checkpoint_at};

/// Takes a read model back to the log as it was in `world`, whose events after
/// that are lost, as a projector does it: each partition that has come further
/// goes back to the last event of its own. Answers the first of these.
async fn rewind<S>(rig: &mut Rig<S>, world: World) -> Sequence {
    let layout = rig.connection.layout();
    let (left, lost) = rig.world.changes.split_at(world.changes.len());
    let mut first = world.checkpoint.sequence;
    for (n, partition) in rig.partitions.iter().enumerate() {
        let standing = partition.standing().await.unwrap().unwrap();
        let reached = standing.checkpoint.sequence;
        if reached <= world.checkpoint.sequence {
            continue;
        }
        let of_partition = |entry: &&ChangeEntry| layout.partition_of(entry.circle_id) == n;
        let common = left.iter().rfind(of_partition);
        let common = common.map_or(Sequence::ZERO, |entry| entry.position.sequence);
        first = first.min(common);
        let mut ids: Vec<CircleId> = lost
            .iter()
            .filter(of_partition)
            .filter(|entry| entry.position.sequence <= reached)
            .map(|entry| entry.circle_id)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let parked: Vec<Parked> = ids
            .iter()
            .map(|id| Parked {
                circle_id: *id,
                event: ParkedEvent {
                    sequence: common.next(),
                    version: Version::FIRST,
                    reason: "it is folded anew".to_owned(),
                },
            })
            .collect();
        let common = checkpoint_at(common);
        let standing = partition
            .rewind(&standing, common, &parked)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(standing.checkpoint, common);
        let repairs: Vec<_> = ids.iter().map(|id| world.repair(*id)).collect();
        let done = partition
            .repair(&standing, &repairs, RepairMode::Repair)
            .await;
        assert!(matches!(done, Ok(Repaired::Done { .. })), "{done:?}");
    }
    rig.world = world;
    first
}

/// The changes without corrections.
async fn next_events(watch: &mut Watch, count: usize) -> Vec<ChangeEntry> {
    let mut events = Vec::new();
    while events.len() < count {
        let entry = next_change(watch).await;
        if entry.kind.is_some() {
            events.push(entry);
        }
    }
    events
}

pub(crate) async fn a_watch_goes_back_with_the_log(engine: Engine) {
    for partitions in PARTITIONS {
        let mut rig = spread(engine, partitions).await;
        go_on(&mut rig, 20, 5).await;
        let common = rig.world.clone();
        let feeding = quiet(&rig, 16_384);
        let (mut behind, _) = feeding.watch(None).await;
        go_on(&mut rig, 10, 5).await;
        let (mut live, _) = feeding.watch(None).await;
        let (mut waiting, _) = feeding.watch(Some(33)).await;
        assert_eq!(next_events(&mut behind, 3).await, rig.world.changes[20..23]);

        let first = rewind(&mut rig, common.clone()).await.get();
        // Other events in the places of those, and more.
        for n in 0..15 {
            rig.world.create("other", 100 + n);
        }
        rig.catch_up().await;
        let mut copy: BTreeMap<CircleId, Document> = BTreeMap::new();
        let mut corrected = 0;
        while copy.len() < 15 {
            let entry = next_change(&mut live).await;
            corrected += usize::from(entry.kind.is_none());
            if entry.kind.is_some() {
                let document = entry.document.unwrap();
                assert!(copy.insert(entry.circle_id, document).is_none());
            } else {
                assert_eq!(entry.document, common.document(entry.circle_id));
            }
        }
        assert!(corrected > 0);
        assert!(
            copy.iter()
                .all(|(id, document)| rig.world.document(*id).as_ref() == Some(document))
        );
        says_nothing(&mut live).await;

        // Whoever begins at a lost event begins at the last one that no
        // partition has lost.
        for from in [21, 25, 30] {
            let (mut watch, begin) = feeding.watch(Some(from)).await;
            assert_eq!(begin, first);
            let expected = &rig.world.changes[first as usize..];
            assert_eq!(next_events(&mut watch, expected.len()).await, expected);
        }
        let (mut watch, begin) = feeding.watch(Some(first)).await;
        assert_eq!(begin, first);
        assert_eq!(
            next_events(&mut watch, 3).await,
            rig.world.changes[first as usize..][..3]
        );
        let (mut watch, begin) = feeding.watch(Some(31)).await;
        assert_eq!(begin, 31);
        assert_eq!(next_events(&mut watch, 4).await, rig.world.changes[31..]);
        assert_eq!(next_events(&mut waiting, 2).await, rig.world.changes[33..]);

        // What was not told before it was lost is not told at all.
        let told = next_events(&mut behind, 15).await;
        let lost = told
            .iter()
            .take_while(|entry| !rig.world.changes.contains(entry));
        let lost = lost.count();
        assert!(lost <= 7, "{lost}");

        // Once more, to the same event.
        let again = {
            let mut world = World::empty();
            for n in 0..20 {
                happen(&mut world, n);
            }
            world.batches(rig.connection.layout());
            world
        };
        assert_eq!(again.changes, rig.world.changes[..20]);
        rewind(&mut rig, again).await;
        for n in 0..15 {
            rig.world.create("third", 200 + n);
        }
        rig.catch_up().await;
        assert_eq!(next_events(&mut live, 15).await, rig.world.changes[20..]);
    }
}

/// One partition was ahead when the log lost its end.
pub(crate) async fn what_waits_for_another_partition_is_told_after_a_loss(engine: Engine) {
    let mut rig = private_spread(engine, 2).await;
    let [a, b] = two_partitions(&mut rig).await;
    let feeding = quiet(&rig, 16_384);
    let (mut watch, begin) = feeding.watch(None).await;
    assert_eq!(begin, 10);

    // The second partition does not get these.
    for (n, id) in [b, a, b, b, a].into_iter().enumerate() {
        rig.world.update(id, None, Some(30 + n as i64));
    }
    let mut left = rig.world.clone();
    rig.world.update(a, None, Some(40));
    let batch = rig.world.batches(rig.connection.layout()).remove(0);
    let standing = rig.standing().await;
    let applied = rig.partition().apply(&standing, &batch).await;
    assert!(matches!(applied, Ok(Outcome::Applied(_))), "{applied:?}");
    let peek = rig.peek().await;
    peek.take_calls().await;
    let mut reads = 0;
    eventually("both partitions are read once more", async || {
        let calls = peek.take_calls().await;
        let calls = calls.iter().filter(|(command, _)| command == "xrange");
        reads += calls.map(|(_, calls)| calls).sum::<u64>();
        reads >= 4
    })
    .await;

    // The first one has its part of what is left already.
    let behind = left.batches(rig.connection.layout()).remove(1);
    rewind(&mut rig, left).await;
    let standing = rig.partitions[1].standing().await.unwrap().unwrap();
    rig.partitions[1].apply(&standing, &behind).await.unwrap();
    go_on(&mut rig, 5, 1).await;
    assert_eq!(next_events(&mut watch, 10).await, rig.world.changes[10..]);
}

/// A partition goes back to the last event of its own.
pub(crate) async fn a_partition_that_lost_no_event_goes_back_too(engine: Engine) {
    let mut rig = spread(engine, 2).await;
    let [a, b] = two_partitions(&mut rig).await;
    for n in 0..8 {
        rig.world.update(a, None, Some(30 + n));
    }
    rig.catch_up().await;
    let common = rig.world.clone();
    for n in 0..2 {
        rig.world.update(a, None, Some(40 + n));
    }
    rig.catch_up().await;
    let feeding = quiet(&rig, 16_384);
    // One that has read all of it and told little, and is not at the ring.
    let (mut behind, _) = feeding.watch(Some(0)).await;
    let before = rig.world.changes.clone();
    assert_eq!(next_changes(&mut behind, 1).await, before[..1]);
    let (mut live, _) = feeding.watch(None).await;

    rewind(&mut rig, common).await;
    for id in [b, a, b] {
        rig.world.update(id, None, Some(50));
        rig.catch_up().await;
    }
    assert_eq!(next_events(&mut live, 3).await, rig.world.changes[18..]);
    assert_eq!(next_events(&mut behind, 19).await, before[1..]);
    assert_eq!(next_events(&mut behind, 3).await, rig.world.changes[18..]);
}

/// Where a partition has none of the changes that are kept, none of its own are lost.
pub(crate) async fn a_partition_without_kept_changes_ends_no_watch(engine: Engine) {
    let mut rig = spread(engine, 2).await;
    let feeding = quiet(&rig, 16_384);
    let (mut live, _) = feeding.watch(None).await;
    let [a, b] = two_partitions(&mut rig).await;
    for n in 0..10 {
        rig.world.update(a, None, Some(30 + n));
    }
    rig.catch_up().await;
    next_changes(&mut live, 20).await;
    // As read models that were built anew have it.
    let floor = ["{1}:circles:changes:floor", "15"];
    let () = rig.peek().await.send("SET", &floor).await;
    for id in [a, b] {
        rig.world.update(id, None, Some(50));
        rig.catch_up().await;
    }
    assert_eq!(next_changes(&mut live, 2).await, rig.world.changes[20..]);
}

pub(crate) async fn corrections_are_told(engine: Engine) {
    for partitions in PARTITIONS {
        let mut rig = spread(engine, partitions).await;
        let ids: Vec<CircleId> = (0..20).map(|_| rig.world.create("chess", 20)).collect();
        rig.catch_up().await;
        let feeding = quiet(&rig, 16_384);
        let (mut watch, _) = feeding.watch(None).await;
        let prefix = |n: usize| match partitions {
            1 => String::new(),
            _ => format!("{{{n}}}:"),
        };
        for round in 0..3 {
            for id in &ids[..4] {
                let n = rig.connection.layout().partition_of(*id);
                let key = format!("{}circle:{id}", prefix(n));
                let () = rig.peek().await.send("DEL", &[&key]).await;
                let partition = &rig.partitions[n];
                let standing = partition.standing().await.unwrap().unwrap();
                let repairs = [rig.world.repair(*id)];
                partition
                    .repair(&standing, &repairs, RepairMode::Repair)
                    .await
                    .unwrap();
                let told = next_change(&mut watch).await;
                assert_eq!((told.kind, told.circle_id), (None, *id), "{round}");
                assert_eq!(told.document, rig.world.document(*id));
                assert_eq!(told.position.sequence, rig.world.checkpoint.sequence);
            }
        }
        // They come again from there.
        let (mut again, _) = feeding.watch(Some(20)).await;
        assert!(
            next_changes(&mut again, 12)
                .await
                .iter()
                .all(|entry| entry.kind.is_none())
        );
        go_on(&mut rig, 1, 1).await;
        for watch in [&mut watch, &mut again] {
            assert_eq!(next_change(watch).await, rig.world.changes[20]);
        }
    }
}

/// Builds the read models of `world` anew, with the entries after some
/// sequence.
async fn build_anew<S>(rig: &Rig<S>, world: &World, entries_after: u64) {
    let layout = rig.connection.layout();
    for (n, partition) in rig.partitions.iter().enumerate() {
        let standing = partition.standing().await.unwrap();
        let building = partition
            .begin(standing.as_ref(), "test")
            .await
            .unwrap()
            .unwrap();
        let mut fresh = world_again(world);
        let mut batch = fresh.batches(layout).remove(n);
        batch
            .entries
            .retain(|entry| entry.position.sequence.get() > entries_after);
        batch.entries_after = Some(Sequence::new(entries_after));
        batch.completes = true;
        let outcome = partition.apply(&building, &batch).await;
        assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
    }
}

/// The same events, none of them written.
fn world_again(world: &World) -> World {
    let mut again = World::empty();
    for n in 0..world.changes.len() {
        happen(&mut again, n);
    }
    assert_eq!(again.changes, world.changes);
    again
}

/// Events that can be made again.
async fn happen_all<S>(rig: &mut Rig<S>, until: usize) {
    for n in rig.world.changes.len()..until {
        happen(&mut rig.world, n);
    }
    rig.catch_up().await;
}

pub(crate) async fn a_read_model_that_is_built_anew_is_waited_for(engine: Engine) {
    for partitions in PARTITIONS {
        let mut rig = spread(engine, partitions).await;
        happen_all(&mut rig, 50).await;
        let feeding = feeding(&rig, 16_384, Duration::from_millis(50));
        let (mut watch, _) = feeding.watch(None).await;

        // Flushed.
        let () = rig.peek().await.send("FLUSHDB", &[]).await;
        eventually("it is silent", async || {
            timeout(Duration::from_millis(300), watch.next())
                .await
                .is_err()
        })
        .await;
        let refused = feeding.refused(50).await;
        assert_eq!(refused, WatchError::Read(Error::NotBuilt));
        // Built, of a log that went on meanwhile.
        let mut world = rig.world.clone();
        for n in 50..60 {
            happen(&mut world, n);
        }
        build_anew(&rig, &world, 0).await;
        rig.world = world;
        rig.forget_pending();
        assert_eq!(next_changes(&mut watch, 10).await, rig.world.changes[50..]);

        // As it was before; what happened since comes again, and is known.
        let mut older = World::empty();
        for n in 0..40 {
            happen(&mut older, n);
        }
        build_anew(&rig, &older, 0).await;
        rig.world = older;
        rig.forget_pending();
        let sixty = Told::Progress(Sequence::new(60));
        assert_eq!(next(&mut watch).await, sixty);
        happen_all(&mut rig, 55).await;
        assert_eq!(next(&mut watch).await, sixty);
        happen_all(&mut rig, 65).await;
        assert_eq!(next_changes(&mut watch, 5).await, rig.world.changes[60..]);
    }
}

/// Nobody knows what was changed that is not kept.
pub(crate) async fn a_watch_ends_where_changes_were_lost(engine: Engine) {
    for partitions in PARTITIONS {
        let mut rig = spread(engine, partitions).await;
        happen_all(&mut rig, 50).await;
        let feeding = quiet(&rig, 16_384);
        let (mut live, _) = feeding.watch(None).await;
        let mut world = rig.world.clone();
        for n in 50..60 {
            happen(&mut world, n);
        }
        build_anew(&rig, &world, 55).await;
        rig.world = world;
        rig.forget_pending();
        let ended = in_time("an end", live.next()).await;
        let from = Sequence::new(50);
        assert_eq!(ended, Err(WatchError::NotKept { from }));
        assert_eq!(
            feeding.refused(54).await,
            WatchError::NotKept {
                from: Sequence::new(54)
            }
        );
        let (mut watch, _) = feeding.watch(Some(55)).await;
        assert_eq!(next_changes(&mut watch, 5).await, rig.world.changes[55..]);
        happen_all(&mut rig, 61).await;
        assert_eq!(next_changes(&mut watch, 1).await, rig.world.changes[60..]);
    }
}

/// The log lost more than the changes that are kept: nobody knows what watches were told
/// that is not so any more.
pub(crate) async fn watches_end_where_more_was_lost_than_is_kept(engine: Engine) {
    for partitions in PARTITIONS {
        let mut rig = spread(engine, partitions).await;
        happen_all(&mut rig, 50).await;
        let feeding = quiet(&rig, 16_384);
        let (mut live, _) = feeding.watch(None).await;
        let mut world = World::empty();
        for n in 0..40 {
            happen(&mut world, n);
        }
        let (common, until) = (Sequence::new(29), Sequence::new(39));
        for partition in &rig.partitions {
            let standing = partition.standing().await.unwrap().unwrap();
            partition
                .begin_after_loss(&standing, "test", common, until)
                .await
                .unwrap()
                .unwrap();
        }
        build_anew(&rig, &world, 30).await;
        rig.world = world;
        rig.forget_pending();
        let ended = in_time("an end", live.next()).await;
        assert!(
            matches!(ended, Err(WatchError::NotKept { .. })),
            "{ended:?}"
        );
        for from in [30, 35, 39] {
            let refused = feeding.refused(from).await;
            assert!(matches!(refused, WatchError::NotKept { .. }), "{refused:?}");
        }
        // Of a list, and of nothing.
        let (mut watch, _) = feeding.watch(Some(40)).await;
        let (mut present, begin) = feeding.watch(None).await;
        assert_eq!(begin, 40);
        happen_all(&mut rig, 45).await;
        for watch in [&mut watch, &mut present] {
            assert_eq!(next_changes(watch, 5).await, rig.world.changes[40..]);
        }
    }
}

/// A rebuild swaps the databases.
pub(crate) async fn a_swap_of_databases_is_not_noticed(engine: Engine) {
    let mut rig = private(engine).await;
    happen_all(&mut rig, 50).await;
    let feeding = quiet(&rig, 16_384);
    let (mut watch, _) = feeding.watch(None).await;
    let url = format!("{}/1", rig.url.trim_end_matches("/0").trim_end_matches('/'));
    let spare = read_model::Connection::open(&crate::rig::config(&url)).unwrap();
    let partition = read_model::partitions(&spare).remove(0).silent();
    let building = partition.begin(None, "test").await.unwrap().unwrap();
    let mut world = world_again(&rig.world);
    happen(&mut world, 50);
    let mut batch = world.batch();
    batch.completes = true;
    partition.apply(&building, &batch).await.unwrap();
    let () = rig.peek().await.send("SWAPDB", &["0", "1"]).await;
    rig.world = world;
    assert_eq!(next_changes(&mut watch, 1).await, rig.world.changes[50..]);
    happen_all(&mut rig, 60).await;
    assert_eq!(next_changes(&mut watch, 9).await, rig.world.changes[51..]);
}

/// A command can be sent twice, by one who thinks that nothing has changed.
pub(crate) async fn read_models_are_switched_once_and_as_expected(engine: Engine) {
    let mut rig = private(engine).await;
    happen_all(&mut rig, 50).await;
    let url = format!("{}/1", rig.url.trim_end_matches("/0").trim_end_matches('/'));
    let spare = read_model::Connection::open(&crate::rig::config(&url)).unwrap();
    let partition = read_model::partitions(&spare).remove(0).silent();
    let live = rig.partitions[0].clone();
    let old = live.standing().await.unwrap().unwrap();

    let building = partition.begin(None, "test").await.unwrap().unwrap();
    let switch = async |old: Standing, new: Standing| {
        read_model::switch(&rig.connection, &spare, &[old], &[new])
            .await
            .unwrap()
    };
    let is_live = async || live.standing().await.unwrap() == Some(old);
    let mut batch = world_again(&rig.world).batch();
    batch.completes = true;
    let new = building.after(&batch);
    let new = Standing {
        revision: old.revision + 1,
        ..new
    };
    // They are not complete.
    assert!(!switch(old, new).await);
    assert!(is_live().await);
    partition.apply(&building, &batch).await.unwrap();
    partition.succeed(&live, &old).await.unwrap();
    // Others than those that the caller knows are in use.
    let other = Standing {
        revision: old.revision + 7,
        ..old
    };
    assert!(!switch(other, new).await);
    assert!(is_live().await);

    for _ in 0..2 {
        assert!(switch(old, new).await);
        assert_eq!(live.standing().await.unwrap(), Some(new));
        assert_eq!(partition.standing().await.unwrap(), Some(old));
    }
    let marked: Vec<Option<String>> = vec![
        rig.peek().await.send("GET", &["circles:replaced"]).await,
        Peek::at(&url)
            .await
            .send("GET", &["circles:replaced"])
            .await,
    ];
    assert_eq!(marked, [None, Some("1".to_owned())]);
}

pub(crate) async fn a_damaged_change_ends_watches(engine: Engine) {
    let mut rig = shared(engine).await;
    happen_all(&mut rig, 5).await;
    let feeding = quiet(&rig, 16_384);
    let (mut live, _) = feeding.watch(None).await;
    let damaged = ["circles:changes", "6-0", "type", "circle_painted"];
    let _: String = rig.peek().await.send("XADD", &damaged).await;
    let ended = in_time("an end", live.next()).await;
    assert!(
        matches!(ended, Err(WatchError::Read(Error::Corrupt { .. }))),
        "{ended:?}"
    );
    let (mut back, _) = match feeding.feed.watch(Some(Sequence::ZERO), Vec::new()).await {
        Ok(watch) => (watch, ()),
        Err(WatchError::Read(Error::Corrupt { .. })) => return,
        Err(error) => panic!("{error}"),
    };
    let ended = loop {
        match in_time("an end", back.next()).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(
        matches!(ended, WatchError::Read(Error::Corrupt { .. })),
        "{ended:?}"
    );
}
