//! Watches while the read model is taken back, mended, built anew, or lost.

use std::collections::BTreeMap;
use std::time::Duration;

use read_model::{
    ChangeEntry, Document, Error, Outcome, Parked, ParkedEvent, RepairMode, Repaired, Told, Watch,
    WatchError,
};
use shared_domain::{CircleId, Sequence, Version};
use test_support::redis::Engine;
use tokio::time::timeout;

use crate::feed::{feeding, go_on, happen, next, next_change, next_changes, quiet, says_nothing};
use crate::rig::{PARTITIONS, Rig, eventually, in_time, private, shared, spread};
use crate::world::World;

/// Takes a read model back to the log as it was in `world`, whose events after
/// that are lost, as a projector does it.
async fn rewind<S>(rig: &mut Rig<S>, world: World) {
    let layout = rig.connection.layout();
    let common = world.checkpoint;
    let lost: Vec<CircleId> = rig.world.changes[world.changes.len()..]
        .iter()
        .map(|entry| entry.circle_id)
        .collect();
    for (n, partition) in rig.partitions.iter().enumerate() {
        let of_partition = |id: &&CircleId| layout.partition_of(**id) == n;
        let mut ids: Vec<CircleId> = lost.iter().filter(of_partition).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        let parked: Vec<Parked> = ids
            .iter()
            .map(|id| Parked {
                circle_id: *id,
                event: ParkedEvent {
                    sequence: common.sequence.next(),
                    version: Version::FIRST,
                    reason: "it is folded anew".to_owned(),
                },
            })
            .collect();
        let standing = partition.standing().await.unwrap().unwrap();
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

        rewind(&mut rig, common.clone()).await;
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

        // Whoever begins at a lost event begins at the common one.
        for from in [21, 25, 30] {
            let (mut watch, begin) = feeding.watch(Some(from)).await;
            assert_eq!(begin, 20);
            assert_eq!(next_events(&mut watch, 15).await, rig.world.changes[20..]);
        }
        let (mut watch, begin) = feeding.watch(Some(20)).await;
        assert_eq!(begin, 20);
        assert_eq!(next_events(&mut watch, 15).await, rig.world.changes[20..]);
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
