//! What happened to a circle, and how it was.

use chrono::{DateTime, TimeDelta, Utc};
use read_model::{HistoryEntry, HistoryQuery, Moment, Past};
use shared_domain::{CircleId, Version};
use test_support::redis::{Engine, RedisDatabase};
use uuid::Uuid;

use crate::rig::{PARTITIONS, Rig, spread};

/// A circle with 25 versions, the last of which deletes it, between others.
async fn with_a_long_one(engine: Engine, partitions: u16) -> (Rig<RedisDatabase>, CircleId) {
    let mut rig = spread(engine, partitions).await;
    let id = rig.world.create("chess", 20);
    rig.world.create("go", 20);
    for n in 0..23 {
        // Batches of several versions.
        if n % 5 == 0 {
            rig.catch_up().await;
        }
        let name = format!("chess {n}");
        let name = (n % 3 == 0).then_some(name.as_str());
        rig.world.update(id, name, Some(30 + n));
    }
    rig.world.delete(id);
    rig.catch_up().await;
    (rig, id)
}

async fn walk(
    rig: &Rig<RedisDatabase>,
    id: CircleId,
    mut query: HistoryQuery,
) -> Vec<HistoryEntry> {
    let mut entries = Vec::new();
    loop {
        let found = rig.reader.history(id, query).await.unwrap();
        assert_eq!(found.sequence, rig.world.checkpoint.sequence);
        let page = found.value.unwrap();
        assert!(page.entries.len() <= query.limit.max(1) as usize);
        assert!(!page.entries.is_empty());
        entries.extend(page.entries);
        if page.next.is_none() {
            return entries;
        }
        query.after = page.next;
    }
}

pub(crate) async fn a_history_is_read_in_both_directions(engine: Engine) {
    for partitions in PARTITIONS {
        let (rig, id) = with_a_long_one(engine, partitions).await;
        let mut expected = rig.world.histories[&id].clone();
        for descending in [false, true] {
            for limit in [0, 1, 7, 24, 25, 26, 1_000] {
                let query = HistoryQuery {
                    after: None,
                    descending,
                    limit,
                };
                assert_eq!(walk(&rig, id, query).await, expected, "{query:?}");
            }
            expected.reverse();
        }
    }
}

pub(crate) async fn a_history_can_be_asked_beyond_its_ends(engine: Engine) {
    let (rig, id) = with_a_long_one(engine, 1).await;
    for (descending, after, expected) in [
        (false, 24, 1),
        (false, 25, 0),
        (false, i64::from(i32::MAX), 0),
        (true, 2, 1),
        (true, 1, 0),
        (true, i64::from(i32::MAX), 25),
    ] {
        let query = HistoryQuery {
            after: Some(Version::new(after).unwrap()),
            descending,
            limit: 1_000,
        };
        let page = rig.reader.history(id, query).await.unwrap().value.unwrap();
        assert_eq!(
            (page.entries.len(), page.next),
            (expected, None),
            "{query:?}"
        );
    }
    let query = HistoryQuery {
        after: None,
        descending: false,
        limit: 10,
    };
    let nobody = CircleId::from_uuid(Uuid::from_u128(1));
    let found = rig.reader.history(nobody, query).await.unwrap();
    assert_eq!(
        (found.value, found.sequence),
        (None, rig.world.checkpoint.sequence)
    );
}

async fn as_of(rig: &Rig<RedisDatabase>, id: CircleId, moment: Moment) -> Past {
    let found = rig.reader.as_of(id, moment).await.unwrap();
    assert_eq!(found.sequence, rig.world.checkpoint.sequence);
    found.value
}

/// How the circle was right after an entry.
fn after(id: CircleId, entry: &HistoryEntry) -> Past {
    entry.document(id).map_or(Past::Absent, Past::Circle)
}

pub(crate) async fn a_circle_is_shown_as_of_each_version(engine: Engine) {
    for partitions in PARTITIONS {
        let (rig, id) = with_a_long_one(engine, partitions).await;
        for entry in &rig.world.histories[&id] {
            let moment = Moment::Version(entry.version);
            assert_eq!(as_of(&rig, id, moment).await, after(id, entry));
        }
        let nobody = CircleId::from_uuid(Uuid::from_u128(1));
        for version in [26, i64::from(i32::MAX)] {
            let moment = Moment::Version(Version::new(version).unwrap());
            assert_eq!(as_of(&rig, id, moment).await, Past::NoVersion);
            assert_eq!(as_of(&rig, nobody, moment).await, Past::Absent);
        }
    }
}

/// What a search through all entries finds.
fn naive(rig: &Rig<RedisDatabase>, id: CircleId, time: DateTime<Utc>) -> Past {
    let history = rig.world.histories[&id].iter();
    let last = history
        .take_while(|entry| entry.effective_at() <= time)
        .last();
    last.map_or(Past::Absent, |entry| after(id, entry))
}

pub(crate) async fn a_circle_is_shown_as_of_each_time(engine: Engine) {
    for partitions in PARTITIONS {
        let (rig, id) = with_a_long_one(engine, partitions).await;
        let near = [-1_000_000_001, -1_000, -1, 0, 1, 999, 1_000];
        for entry in &rig.world.histories[&id] {
            for nanos in near {
                let time = entry.occurred_at + TimeDelta::nanoseconds(nanos);
                assert_eq!(
                    as_of(&rig, id, Moment::Time(time)).await,
                    naive(&rig, id, time)
                );
            }
        }
        for time in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            assert_eq!(as_of(&rig, id, Moment::Time(time)).await, Past::Absent);
        }
        let go = *rig.world.circles.keys().next().unwrap();
        let last = as_of(&rig, go, Moment::Time(DateTime::<Utc>::MAX_UTC)).await;
        assert_eq!(last, Past::Circle(rig.world.document(go).unwrap()));
    }
}

/// Versions written by several command services, whose clocks disagree.
pub(crate) async fn clocks_that_disagree_do_not_confuse_the_past(engine: Engine) {
    let mut rig = spread(engine, 1).await;
    let start = rig.world.clock;
    let id = rig.world.create("chess", 20);
    for (n, seconds) in (0..).zip([10, 5, 5, 12, -100, 12, 13, 11, 14, 14]) {
        rig.world.clock = start + TimeDelta::seconds(seconds);
        rig.world.update(id, None, Some(30 + n));
    }
    rig.catch_up().await;
    let skewed = |entry: &&HistoryEntry| entry.effective_at.is_some();
    assert_eq!(rig.world.histories[&id].iter().filter(skewed).count(), 4);
    for seconds in -101..=15 {
        for micros in [-1, 0, 1] {
            let time = start + TimeDelta::seconds(seconds) + TimeDelta::microseconds(micros);
            assert_eq!(
                as_of(&rig, id, Moment::Time(time)).await,
                naive(&rig, id, time)
            );
        }
    }
}
