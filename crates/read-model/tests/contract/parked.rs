//! Circles that can't be told of.

use read_model::{
    Error, HistoryQuery, ListQuery, Moment, Order, Outcome, Parked, ParkedEvent, RepairMode,
    Repaired,
};
use shared_domain::{CircleId, Sequence, Version};
use test_support::redis::{Engine, RedisDatabase};

use crate::rig::{PARTITIONS, Rig, spread};
use crate::world::every_list;

/// Parks a circle by the next event, of which nothing can be read.
async fn park(rig: &mut Rig<RedisDatabase>, id: CircleId) -> ParkedEvent {
    let before = rig.world.clone();
    rig.world.update(id, Some("unreadable"), None);
    let sequence = rig.world.checkpoint.sequence;
    let event = ParkedEvent {
        sequence,
        version: Version::new(2).unwrap(),
        reason: "it can't be read".to_owned(),
    };
    let layout = rig.connection.layout();
    let mut batches = rig.world.batches(layout);
    let batch = &mut batches[layout.partition_of(id)];
    batch.changes.clear();
    batch.entries.clear();
    batch.parked.push(Parked {
        circle_id: id,
        event: event.clone(),
    });
    let (circles, histories) = (before.circles, before.histories);
    (rig.world.circles, rig.world.histories) = (circles, histories);
    for (partition, batch) in rig.partitions.iter().zip(&batches) {
        let standing = partition.standing().await.unwrap().unwrap();
        let outcome = partition.apply(&standing, batch).await;
        assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
    }
    event
}

pub(crate) async fn a_parked_circle_is_told_of_by_lists_only(engine: Engine) {
    for partitions in PARTITIONS {
        let mut rig = spread(engine, partitions).await;
        let ids: Vec<CircleId> = (0..20).map(|_| rig.world.create("chess", 20)).collect();
        rig.catch_up().await;
        let (first, second) = (ids[3], ids[7]);
        let event = park(&mut rig, first).await;
        let later = park(&mut rig, second).await;
        assert!(later.sequence > event.sequence);

        let parked = Error::Parked {
            id: first,
            sequence: event.sequence,
        };
        let history = HistoryQuery {
            after: None,
            descending: false,
            limit: 10,
        };
        let moment = Moment::Version(Version::FIRST);
        assert_eq!(rig.reader.get(first).await, Err(parked.clone()));
        assert_eq!(
            rig.reader.history(first, history).await,
            Err(parked.clone())
        );
        assert_eq!(rig.reader.as_of(first, moment).await, Err(parked.clone()));
        assert_eq!(rig.reader.batch_get(&ids).await, Err(parked));

        let sequence = rig.world.checkpoint.sequence;
        let others: Vec<CircleId> = ids
            .iter()
            .copied()
            .filter(|id| ![first, second].contains(id))
            .collect();
        let expected: Vec<_> = others.iter().map(|id| rig.world.document(*id)).collect();
        let found = rig.reader.batch_get(&others).await.unwrap();
        assert_eq!((found.value, found.sequence), (expected, sequence));
        for id in &others {
            let found = rig.reader.get(*id).await.unwrap();
            assert_eq!(found.value, rig.world.document(*id));
            assert_eq!(found.sequence, sequence);
        }
        for query in every_list(7) {
            assert_eq!(rig.walk(&query).await, rig.world.list(&query));
        }

        let found: Vec<_> = rig.parked().await;
        assert_eq!(found, {
            let mut expected = vec![(first, event), (second, later)];
            expected.sort_by_key(|(id, _)| *id);
            expected
        });

        // One after the other is taken in after all.
        for id in [first, second] {
            rig.world.update(id, Some("readable"), None);
            rig.forget_pending();
            let partition = &rig.partitions[rig.connection.layout().partition_of(id)];
            let standing = partition.standing().await.unwrap().unwrap();
            let mut repair = rig.world.repair(id);
            let last = repair.history.last_mut().unwrap();
            last.sequence = Sequence::new(sequence.get());
            let repairs = [repair];
            let done = partition
                .repair(&standing, &repairs, RepairMode::Repair)
                .await
                .unwrap();
            let Repaired::Done { changed, .. } = done else {
                panic!("superseded")
            };
            assert_eq!(changed, [id]);
            let found = rig.reader.get(id).await.unwrap();
            assert_eq!(found.value, rig.world.document(id));
        }
        assert_eq!(rig.parked().await, []);
        let query = ListQuery::new(Order::Name, 50);
        assert_eq!(rig.walk(&query).await, rig.world.list(&query));
    }
}
