//! Batches are written whole, once, and only onto the expected standing.

use std::collections::BTreeSet;

use read_model::{
    Batch, ChangePosition, Checkpoint, Config, Connection, Error, Outcome, RepairMode, Repaired,
    Standing,
};
use read_model::{ListQuery, Order, Phase};
use shared_domain::{CircleId, EventId, Sequence, Version};
use test_support::redis::Engine;
use uuid::Uuid;

use crate::rig::{PARTITIONS, in_time, shared, spread, unbuilt};
use crate::world::{World, every_list};

pub(crate) async fn a_batch_is_written_whole_and_found_again(engine: Engine) {
    for partitions in PARTITIONS {
        let mut rig = spread(engine, partitions).await;
        let football = rig.world.create("football", 20);
        let chess = rig.world.create("将棋 \"A\"", 5);
        rig.catch_up().await;
        rig.world.update(football, Some("baseball"), Some(30));
        rig.world.delete(chess);
        let go = rig.world.create("go", 3);
        // Several events of one circle, and one that never shows.
        rig.world.update(go, None, Some(4));
        rig.world.update(go, Some("Go"), None);
        let shortest = rig.world.create("short", 3);
        rig.world.delete(shortest);
        rig.catch_up().await;

        let checkpoint = rig.world.checkpoint;
        for partition in &rig.partitions {
            let standing = partition.standing().await.unwrap().unwrap();
            assert_eq!(standing.checkpoint, checkpoint);
            assert_eq!(standing.phase, Phase::Live);
        }
        let ids = [go, chess, football, shortest];
        let expected: Vec<_> = ids.iter().map(|id| rig.world.document(*id)).collect();
        if partitions == 1 {
            assert_eq!(rig.latest(&ids).await, expected);
        }
        let found = rig.reader.batch_get(&ids).await.unwrap();
        assert_eq!(
            (found.value, found.sequence),
            (expected, checkpoint.sequence)
        );
        for id in ids {
            let found = rig.reader.get(id).await.unwrap();
            let expected = (rig.world.document(id), checkpoint.sequence);
            assert_eq!((found.value, found.sequence), expected);
        }
        let none = rig.reader.batch_get(&[]).await.unwrap();
        assert_eq!((none.value, none.sequence), (vec![], checkpoint.sequence));
        for query in every_list(10) {
            assert_eq!(rig.walk(&query).await, rig.world.list(&query), "{query:?}");
        }
    }
}

/// An answer knows no more than the partition of it that knows least.
pub(crate) async fn an_answer_is_as_old_as_its_oldest_partition(engine: Engine) {
    let mut rig = spread(engine, 4).await;
    let ids: Vec<CircleId> = (0..40).map(|_| rig.world.create("chess", 20)).collect();
    rig.catch_up().await;
    let before = rig.world.checkpoint.sequence;
    rig.world.create("go", 20);
    let after = rig.world.checkpoint.sequence;
    let batches = rig.world.batches(rig.connection.layout());
    let last = rig.partitions.len() - 1;
    for (partition, batch) in rig.partitions.iter().zip(&batches).take(last) {
        let standing = partition.standing().await.unwrap().unwrap();
        partition.apply(&standing, batch).await.unwrap();
    }

    let layout = rig.connection.layout();
    for id in &ids {
        let behind = layout.partition_of(*id) == last;
        let expected = if behind { before } else { after };
        assert_eq!(rig.reader.get(*id).await.unwrap().sequence, expected);
        let alone = rig.reader.batch_get(&[*id]).await.unwrap();
        assert_eq!(alone.sequence, expected);
    }
    assert!(ids.iter().any(|id| layout.partition_of(*id) == last));
    assert_eq!(rig.reader.batch_get(&ids).await.unwrap().sequence, before);
    assert_eq!(rig.reader.batch_get(&[]).await.unwrap().sequence, before);
    for query in every_list(10) {
        assert_eq!(rig.reader.list(&query).await.unwrap().sequence, before);
    }
}

pub(crate) async fn only_the_expected_standing_lets_a_batch_in(engine: Engine) {
    let mut rig = shared(engine).await;
    let id = rig.world.create("chess", 20);
    rig.catch_up().await;
    let present = rig.standing().await;

    rig.world.delete(id);
    let batch = rig.world.batch();
    let other_event = EventId::from_uuid(Uuid::from_u128(99));
    let at = |checkpoint| Standing {
        checkpoint,
        ..present
    };
    for wrong in [
        at(Checkpoint::EMPTY),
        at(batch.checkpoint),
        at(Checkpoint::at(present.checkpoint.sequence, other_event)),
        Standing {
            phase: Phase::Building,
            ..present
        },
        Standing {
            revision: present.revision + 1,
            ..present
        },
    ] {
        let outcome = rig.partition().apply(&wrong, &batch).await;
        assert_eq!(outcome, Ok(Outcome::Superseded), "{wrong:?}");
    }
    assert!(rig.reader.get(id).await.unwrap().value.is_some());

    let () = rig.peek().await.send("DEL", &["circles:checkpoint"]).await;
    let outcome = rig.partition().apply(&present, &batch).await;
    assert_eq!(outcome, Ok(Outcome::Superseded));
    assert_eq!(rig.partition().standing().await, Ok(None));
}

pub(crate) async fn a_batch_sent_again_changes_nothing(engine: Engine) {
    let mut rig = shared(engine).await;
    let id = rig.world.create("chess", 20);
    rig.catch_up().await;
    let expected = rig.standing().await;
    rig.world.update(id, None, Some(30));
    rig.world.create("go", 3);
    let batch = rig.world.batch();

    let first = rig.partition().apply(&expected, &batch).await;
    let next = rig.standing().await;
    assert_eq!(first, Ok(Outcome::Applied(next)));
    assert_eq!(next.checkpoint, rig.world.checkpoint);
    let again = rig.partition().apply(&expected, &batch).await;
    assert_eq!(again, Ok(Outcome::Superseded));
    for query in every_list(10) {
        assert_eq!(rig.walk(&query).await, rig.world.list(&query));
    }
}

/// Whatever of a circle is not as the batch takes it to be, nothing is written.
pub(crate) async fn a_batch_that_does_not_fit_is_refused_whole(engine: Engine) {
    let mut rig = shared(engine).await;
    let chess = rig.world.create("chess", 20);
    let go = rig.world.create("go", 20);
    rig.catch_up().await;
    let expected = rig.standing().await;
    let mut world = rig.world.clone();
    world.update(chess, Some("shogi"), None);
    world.update(go, None, Some(40));
    let batch = world.batch();

    type Harm = fn(&mut Batch);
    let harms: [Harm; 3] = [
        |batch| batch.changes[1].base = Version::new(2).ok(),
        |batch| batch.changes[1].base = None,
        |batch| {
            let before = batch.changes[1].before.as_mut().unwrap();
            before.version = Version::new(9).unwrap();
        },
    ];
    for harm in harms {
        let mut wrong = batch.clone();
        harm(&mut wrong);
        let outcome = rig.partition().apply(&expected, &wrong).await;
        let unfit = wrong.changes[1].id;
        assert_eq!(outcome, Ok(Outcome::Unfit(vec![unfit])));
        assert_eq!(rig.standing().await, expected);
        for query in every_list(10) {
            assert_eq!(rig.walk(&query).await, rig.world.list(&query));
        }
    }
    let outcome = rig.partition().apply(&expected, &batch).await;
    assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
}

pub(crate) async fn of_two_racing_projections_each_batch_counts_once(engine: Engine) {
    const EVENTS: u64 = 200;
    let rig = shared(engine).await;
    // Both project the same log: event n creates circle n.
    let race = |url: String| async move {
        let connection = Connection::open(&Config::new(url)).unwrap();
        let partition = read_model::partitions(&connection).remove(0);
        let mut applied = 0_u64;
        loop {
            let expected = partition.standing().await.unwrap().unwrap();
            let from = expected.checkpoint.sequence.get();
            if from == EVENTS {
                return applied;
            }
            let mut world = World::empty();
            for _ in 0..=from {
                world.batch();
                world.create("chess", 20);
            }
            match partition.apply(&expected, &world.batch()).await.unwrap() {
                Outcome::Applied(_) => applied += 1,
                Outcome::Superseded => {
                    let found = partition.standing().await.unwrap().unwrap();
                    assert!(found.checkpoint.sequence > expected.checkpoint.sequence);
                }
                Outcome::Unfit(ids) => panic!("unfit: {ids:?}"),
            }
        }
    };
    let one = tokio::spawn(race(rig.url.clone()));
    let two = tokio::spawn(race(rig.url.clone()));
    let both = in_time("both arrive", async { (one.await, two.await) }).await;
    assert_eq!(both.0.unwrap() + both.1.unwrap(), EVENTS);
    let listed = rig.walk(&ListQuery::new(Order::CreateTime, 50)).await;
    assert_eq!(listed.len() as u64, EVENTS);
}

pub(crate) async fn a_thousand_changes_fit_into_a_batch(engine: Engine) {
    let mut rig = shared(engine).await;
    // As long as names can be.
    let name = "部".repeat(100);
    let ids: Vec<CircleId> = (0..1_000).map(|_| rig.world.create(&name, 20)).collect();
    rig.catch_up().await;
    for id in &ids {
        rig.world.update(*id, Some("chess"), Some(30));
    }
    rig.catch_up().await;

    let expected: Vec<_> = ids.iter().map(|id| rig.world.document(*id)).collect();
    assert_eq!(rig.latest(&ids).await, expected);
    for query in every_list(1_000) {
        let page = rig.reader.list(&query).await.unwrap();
        assert_eq!(page.documents, rig.world.list(&query));
        assert_eq!(page.next, None);
    }

    ids.iter().for_each(|id| rig.world.delete(*id));
    rig.catch_up().await;
    // Their histories, and checkpoint, revision, layout and changes.
    assert_eq!(rig.peek().await.count_keys().await, 1_000 + 4);
}

pub(crate) async fn a_deleted_circle_leaves_nothing_but_its_history(engine: Engine) {
    let mut rig = shared(engine).await;
    let peek = rig.peek().await;
    let chess = rig.world.create("chess", 20);
    let go = rig.world.create("go", 20);
    rig.catch_up().await;
    // Checkpoint, revision, layout and changes; the indexes.
    let always = 4;
    assert_eq!(peek.count_keys().await, 2 * 2 + 3 + always);
    rig.world.update(chess, Some("shogi"), None);
    rig.world.update(go, None, Some(40));
    rig.catch_up().await;
    rig.world.delete(chess);
    rig.catch_up().await;
    assert_eq!(peek.count_keys().await, 3 + 3 + always);
    rig.world.delete(go);
    rig.catch_up().await;
    assert_eq!(peek.count_keys().await, 2 + always);
}

pub(crate) async fn nothing_is_read_from_a_read_model_that_was_never_built(engine: Engine) {
    for partitions in PARTITIONS {
        let rig = unbuilt(engine, partitions);
        let id = CircleId::from_uuid(Uuid::from_u128(1));
        assert_eq!(rig.partition().standing().await, Ok(None));
        assert_eq!(rig.latest(&[id]).await, [None]);
        // The last partition is built last.
        for (built, partition) in rig.partitions.iter().enumerate() {
            if built == rig.connection.layout().partition_of(id) {
                assert_eq!(rig.reader.get(id).await, Err(Error::NotBuilt));
                assert_eq!(rig.reader.batch_get(&[id]).await, Err(Error::NotBuilt));
            }
            assert_eq!(rig.reader.batch_get(&[]).await, Err(Error::NotBuilt));
            for mut query in every_list(10) {
                assert_eq!(rig.reader.list(&query).await, Err(Error::NotBuilt));
                query.name_prefix = "a".to_owned();
                query.min_capacity = Some(5);
                assert_eq!(rig.reader.list(&query).await, Err(Error::NotBuilt));
            }
            crate::rig::build(partition).await;
        }
        let found = rig.reader.get(id).await.unwrap();
        assert_eq!((found.value, found.sequence), (None, Sequence::ZERO));
    }
}

pub(crate) async fn keys_are_those_of_the_contract(engine: Engine) {
    let mut rig = shared(engine).await;
    let peek = rig.peek().await;
    let empty: String = peek.send("GET", &["circles:checkpoint"]).await;
    assert_eq!(empty, r#"{"sequence":0,"event_id":null}"#);
    let layout: String = peek.send("GET", &["circles:layout"]).await;
    assert_eq!(layout, "2");

    let id = rig.world.create("football", 20);
    rig.catch_up().await;
    rig.world.update(id, Some("baseball"), None);
    rig.catch_up().await;
    let document: String = peek.send("GET", &[&format!("circle:{id}")]).await;
    assert_eq!(
        document,
        format!(r#"{{"id":"{id}","name":"baseball","capacity":20,"version":2}}"#)
    );
    let checkpoint: String = peek.send("GET", &["circles:checkpoint"]).await;
    assert_eq!(
        checkpoint,
        r#"{"sequence":2,"event_id":"00000000-0000-0000-0000-000000000002"}"#
    );
    let by_capacity = format!("00020baseball\0{id}0000000002");
    for (index, member, score) in [
        (
            "circles:by_name",
            format!("baseball\0{id}000200000000002"),
            "0",
        ),
        ("circles:by_capacity", by_capacity.clone(), "0"),
        ("circles:by_create_time", by_capacity, "1"),
    ] {
        let entries: Vec<String> = peek.send("ZRANGE", &[index, "0", "-1", "WITHSCORES"]).await;
        assert_eq!(entries, [member, score.to_owned()]);
    }
    let history: Vec<String> = peek
        .send("LRANGE", &[&format!("circle:{id}:history"), "0", "-1"])
        .await;
    assert_eq!(
        history,
        [
            r#"{"version":1,"type":"circle_created","name":"football","capacity":20,"occurred_at":"2027-01-15T08:00:00.000007Z","sequence":1}"#,
            r#"{"version":2,"type":"circle_updated","name":"baseball","capacity":20,"before":{"name":"football"},"occurred_at":"2027-01-15T08:00:01.000007Z","actor":"anna","sequence":2}"#,
        ]
    );
    let newest: Vec<String> = peek
        .send(
            "EVAL",
            &[
                "local e = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]; \
             table.insert(e[2], 1, e[1]); return e[2]",
                "1",
                "circles:changes",
            ],
        )
        .await;
    assert_eq!(
        newest,
        [
            "2-0",
            "type",
            "circle_updated",
            "circle_id",
            &id.to_string(),
            "version",
            "2",
            "event_id",
            "00000000-0000-0000-0000-000000000002",
            "document",
            &document,
        ]
    );
    // A batch without changes moves the checkpoint alone.
    let expected = rig.standing().await;
    let later = Checkpoint::at(Sequence::new(9), EventId::from_uuid(Uuid::from_u128(9)));
    let outcome = rig.partition().apply(&expected, &Batch::new(later)).await;
    assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
    assert_eq!(rig.reader.get(id).await.unwrap().sequence, Sequence::new(9));
}

/// The projection stays at the earliest event that nobody could read.
pub(crate) async fn only_so_many_changes_are_kept(engine: Engine) {
    let mut rig = shared(engine).await;
    let partition = rig.partition().clone().keeping(32);
    let id = rig.world.create("chess", 20);
    for step in 0..10 {
        for _ in 0..7 {
            rig.world.update(id, None, Some(3 + step));
        }
        let standing = rig.standing().await;
        partition
            .apply(&standing, &rig.world.batch())
            .await
            .unwrap();
        let page = partition.changes_before(None, 1_000).await.unwrap();
        let kept = page.entries.len();
        let all = rig.world.changes.len();
        assert!(kept <= 34 && kept >= all.min(32), "{kept} of {all}");
        // All after the floor are there.
        let first = page.entries.last().unwrap().position.sequence;
        assert_eq!(page.floor.next(), first);
        let mut entries = page.entries;
        entries.reverse();
        assert_eq!(entries, rig.world.changes[all - kept..]);
    }
}

/// Whoever was told of all up to the floor misses no correction that came after.
pub(crate) async fn the_floor_is_behind_corrections_that_are_gone(engine: Engine) {
    let mut rig = shared(engine).await;
    let ids: Vec<CircleId> = (0..10).map(|_| rig.world.create("chess", 20)).collect();
    rig.catch_up().await;
    let peek = rig.peek().await;
    for id in &ids {
        let () = peek.send("DEL", &[&format!("circle:{id}")]).await;
    }
    let repairs: Vec<_> = ids.iter().map(|id| rig.world.repair(*id)).collect();
    let standing = rig.standing().await;
    let repaired = rig
        .partition()
        .repair(&standing, &repairs, RepairMode::Repair);
    assert!(matches!(repaired.await, Ok(Repaired::Done { .. })));

    let partition = rig.partition().clone().keeping(8);
    let page = partition.changes_before(None, 1_000).await.unwrap();
    let mut all: BTreeSet<_> = page.entries.iter().map(|entry| entry.position).collect();
    assert_eq!(all.len(), 20);
    for step in 0..12 {
        rig.world.update(ids[0], None, Some(30 + step));
        all.insert(ChangePosition::of(rig.world.checkpoint.sequence));
        let standing = rig.standing().await;
        partition
            .apply(&standing, &rig.world.batch())
            .await
            .unwrap();
        let page = partition.changes_before(None, 1_000).await.unwrap();
        let kept: BTreeSet<_> = page.entries.iter().map(|entry| entry.position).collect();
        let gone = all.difference(&kept).last().unwrap();
        let floor = ChangePosition::of(page.floor);
        assert!(*gone <= floor, "{gone} is gone, which is after {floor}");
        assert_eq!(
            page.floor.get(),
            gone.sequence.get() + u64::from(gone.correction > 0)
        );
    }
}

/// What a client that lost the answer sends again must not leave a past with a gap behind.
pub(crate) async fn changes_that_are_sent_again_leave_no_gap(engine: Engine) {
    let mut rig = unbuilt(engine, 1);
    let partition = rig.partition().clone();
    let building = partition.begin(None, "test").await.unwrap().unwrap();
    let id = rig.world.create("chess", 20);
    for capacity in 3..13 {
        rig.world.update(id, None, Some(capacity));
    }
    let all = rig.world.batch();
    let changes = |from: usize, to: usize| Batch {
        entries: all.entries[from..to].to_vec(),
        ..Batch::new(Checkpoint::EMPTY)
    };
    // The checkpoint stays, so nothing else tells that they are there already.
    for batch in [changes(2, 5), changes(5, 8), changes(5, 8), changes(8, 11)] {
        let outcome = partition.apply(&building, &batch).await;
        assert_eq!(outcome, Ok(Outcome::Applied(building)));
    }
    let end = Batch {
        entries: Vec::new(),
        entries_after: Some(all.entries[1].position.sequence),
        completes: true,
        ..all.clone()
    };
    let outcome = partition.apply(&building, &end).await;
    assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
    let page = partition.changes_before(None, 1_000).await.unwrap();
    let mut kept = page.entries;
    kept.reverse();
    assert_eq!(kept, all.entries[5..]);
    assert_eq!(page.floor, all.entries[4].position.sequence);
}
