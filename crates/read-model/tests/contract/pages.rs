//! Lists keep their order and their promises while circles change.

use std::collections::BTreeMap;

use read_model::{Document, Error, ListQuery, Position};
use shared_domain::{CircleId, Sequence};
use test_support::redis::{Engine, RedisDatabase};

use crate::rig::{PARTITIONS, Rig, shared, spread};
use crate::world::{NAMES, ORDERS, every_list, place};

/// A read model of 300 circles with few names and few capacities.
async fn three_hundred(engine: Engine, partitions: u16) -> Rig<RedisDatabase> {
    let mut rig = spread(engine, partitions).await;
    for number in 0_i64..300 {
        let name = NAMES[(number * 7 % 16) as usize];
        let name = if number % 3 == 0 {
            format!("{name} {number}")
        } else {
            name.to_owned()
        };
        rig.world.create(&name, 3 + number * 31 % 40);
    }
    rig.catch_up().await;
    rig
}

pub(crate) async fn every_order_and_direction_lists_all_circles_in_order(engine: Engine) {
    for partitions in PARTITIONS {
        let rig = three_hundred(engine, partitions).await;
        for limit in [1, 7, 100, 299, 300, 301, 1_000] {
            for query in every_list(limit) {
                assert_eq!(rig.walk(&query).await, rig.world.list(&query), "{query:?}");
            }
        }
    }
}

pub(crate) async fn changes_between_pages_neither_skip_nor_repeat_what_did_not_move(
    engine: Engine,
) {
    for partitions in PARTITIONS {
        for query in every_list(17) {
            changes_between_pages_of(query, three_hundred(engine, partitions).await).await;
        }
    }
}

async fn changes_between_pages_of(mut query: ListQuery, mut rig: Rig<RedisDatabase>) {
    let mut unmoved: BTreeMap<CircleId, (Document, Sequence)> = rig.world.circles.clone();
    let mut dice = Dice(42);
    let mut seen: Vec<CircleId> = Vec::new();
    loop {
        let page = rig.reader.list(&query).await.unwrap();
        seen.extend(page.documents.iter().map(|document| document.id));
        let Some(next) = page.next else { break };
        // Positions travel as bytes.
        query.after = Some(Position::from_bytes(&next.to_bytes()).unwrap());

        // The last circle of the page is always among those that change.
        let last = page.documents.last().map(|document| document.id);
        let some: Vec<CircleId> = rig.world.circles.keys().copied().collect();
        let mut targets: Vec<CircleId> = (0..12).map(|_| some[dice.below(some.len())]).collect();
        targets.extend(last);
        targets.sort();
        targets.dedup();
        for id in targets {
            match dice.below(4) {
                0 => rig.world.update(id, Some(NAMES[dice.below(16)]), None),
                1 => rig.world.update(id, None, Some(3 + dice.below(40) as i64)),
                2 => rig.world.update(id, Some("Zoo"), Some(3)),
                _ => rig.world.delete(id),
            }
        }
        rig.world
            .create(NAMES[dice.below(16)], 3 + dice.below(40) as i64);
        rig.catch_up().await;
        unmoved.retain(|id, before| {
            let now = rig.world.circles.get(id);
            now.is_some_and(|now| place(query.order, now) == place(query.order, before))
        });
    }

    assert!(unmoved.len() > 50, "too few are left to say anything");
    let mut expected: Vec<_> = unmoved.values().collect();
    expected.sort_by_key(|circle| place(query.order, circle));
    if query.descending {
        expected.reverse();
    }
    let expected: Vec<CircleId> = expected.iter().map(|(document, _)| document.id).collect();
    seen.retain(|id| unmoved.contains_key(id));
    assert_eq!(seen, expected, "{query:?}");
}

pub(crate) async fn the_last_page_has_no_successor(engine: Engine) {
    let mut rig = shared(engine).await;
    for query in every_list(5) {
        let page = rig.reader.list(&query).await.unwrap();
        assert_eq!((page.documents, page.next), (vec![], None));
    }
    for number in 0..10 {
        // Half of them before, half of them behind the others in every order.
        let (name, capacity) = if number < 5 { ("a", 5) } else { ("b", 6) };
        rig.world.create(name, capacity);
    }
    rig.catch_up().await;
    for mut query in every_list(5) {
        let first = rig.reader.list(&query).await.unwrap();
        query.after = first.next;
        let second = rig.reader.list(&query).await.unwrap();
        assert_eq!((first.documents.len(), second.documents.len()), (5, 5));
        assert_eq!(second.next, None);
        // Behind the page there are circles, but none that meets the filter.
        for prefix in ["a", "b"] {
            query.after = None;
            query.name_prefix = prefix.to_owned();
            let page = rig.reader.list(&query).await.unwrap();
            assert_eq!((page.documents.len(), page.next), (5, None));
        }
    }
}

pub(crate) async fn a_position_of_another_order_is_refused(engine: Engine) {
    let rig = three_hundred(engine, 1).await;
    for order in ORDERS {
        let page = rig.reader.list(&ListQuery::new(order, 5)).await.unwrap();
        assert_eq!(page.next.as_ref().unwrap().order(), order);
        for other in ORDERS.into_iter().filter(|other| *other != order) {
            let mut query = ListQuery::new(other, 5);
            query.after = page.next.clone();
            assert_eq!(rig.reader.list(&query).await, Err(Error::ForeignPosition));
        }
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % end
    }
}
