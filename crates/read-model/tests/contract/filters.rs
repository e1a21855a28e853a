//! Filters find what they should, at a bounded cost.

use read_model::{ListQuery, Order, SCAN_LIMIT};
use test_support::redis::{Engine, RedisDatabase};

use crate::rig::{PARTITIONS, Rig, shared, spread};
use crate::world::{NAMES, every_list};

pub(crate) async fn every_filter_finds_what_it_should_in_every_order(engine: Engine) {
    for partitions in PARTITIONS {
        let mut rig = spread(engine, partitions).await;
        for (number, name) in (0_i64..).zip(NAMES.iter().cycle().take(160)) {
            rig.world.create(
                name,
                [3, 4, 9, 10, 99, 100, 9_999, i64::from(i16::MAX)][number as usize / 20],
            );
        }
        rig.catch_up().await;
        let prefixes = [
            "",
            "a",
            "ab",
            "chess \"",
            "é",
            "ÿ",
            "将",
            "将棋",
            "😀",
            "\u{10ffff}",
            "x",
            "a\0",
            "\0",
        ];
        let capacities = [
            (None, None),
            (Some(4), None),
            (None, Some(99)),
            (Some(4), Some(100)),
            (Some(9), Some(9)),
            (Some(100), Some(4)),
            (Some(i32::MIN), Some(i32::MAX)),
            (Some(i32::from(i16::MAX)), None),
            (Some(100_000), None),
            (Some(99_999), Some(99_999)),
            (None, Some(-1)),
            (None, Some(0)),
        ];
        for mut query in every_list(9) {
            for prefix in prefixes {
                for (min, max) in capacities {
                    query.name_prefix = prefix.to_owned();
                    (query.min_capacity, query.max_capacity) = (min, max);
                    assert_eq!(rig.walk(&query).await, rig.world.list(&query), "{query:?}");
                }
            }
        }
    }
}

pub(crate) async fn a_prefix_ends_where_its_characters_end(engine: Engine) {
    let mut rig = shared(engine).await;
    // Neighbours in code points, whose bytes are neighbours or share a start.
    let names = [
        "þ",
        "ÿ",
        "ÿa",
        "ÿ\u{10ffff}",
        "Ā",
        "\u{7f0}",
        "\u{800}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{ffff}",
        "\u{10000}",
        "\u{10fffe}",
        "\u{10ffff}",
        "\u{10ffff}\u{10ffff}",
    ];
    for name in names {
        rig.world.create(name, 20);
    }
    rig.catch_up().await;
    for mut query in every_list(2) {
        for prefix in names {
            query.name_prefix = prefix.to_owned();
            assert_eq!(rig.walk(&query).await, rig.world.list(&query), "{query:?}");
        }
    }
}

/// More circles of one name than a page looks at, then more of another one.
async fn many_of_two_names(engine: Engine) -> Rig<RedisDatabase> {
    let mut rig = shared(engine).await;
    for _ in 0..2 * SCAN_LIMIT + 10 {
        rig.world.create("m", 20);
    }
    rig.catch_up().await;
    for _ in 0..=SCAN_LIMIT {
        rig.world.create("z", 30);
    }
    rig.catch_up().await;
    rig
}

pub(crate) async fn a_page_that_finds_few_is_short(engine: Engine) {
    let rig = many_of_two_names(engine).await;
    let mut query = ListQuery::new(Order::CreateTime, 10);
    query.name_prefix = "z".to_owned();
    for _ in 0..2 {
        let page = rig.reader.list(&query).await.unwrap();
        assert_eq!(page.documents, []);
        query.after = Some(page.next.unwrap());
    }
    let page = rig.reader.list(&query).await.unwrap();
    query.after = None;
    assert_eq!(page.documents, rig.world.list(&query)[..10]);

    // By name the index leads there at once.
    query.order = Order::Name;
    let page = rig.reader.list(&query).await.unwrap();
    assert_eq!(page.documents, rig.world.list(&query)[..10]);

    // Whoever asks for more circles lets more be looked at.
    query = ListQuery::new(Order::Capacity, 1_000);
    query.name_prefix = "m".to_owned();
    let page = rig.reader.list(&query).await.unwrap();
    assert_eq!(
        page.documents,
        rig.world.list(&query)[..page.documents.len()]
    );
    assert_eq!(page.documents.len(), 2 * SCAN_LIMIT as usize + 10);
}

pub(crate) async fn a_page_of_rare_circles_is_complete(engine: Engine) {
    let mut rig = many_of_two_names(engine).await;
    let rare = [("rare a", 7), ("rare b", 8), ("m", 8), ("rare c", 20)];
    for (name, capacity) in rare {
        rig.world.create(name, capacity);
    }
    rig.catch_up().await;
    for mut query in every_list(2) {
        for (prefix, min, max) in [
            ("rare", None, None),
            ("rare", Some(8), None),
            ("rare", None, Some(8)),
            ("", Some(7), Some(8)),
            ("m", Some(7), Some(8)),
            ("rare", Some(9), Some(19)),
            ("nobody", None, None),
        ] {
            query.name_prefix = prefix.to_owned();
            (query.min_capacity, query.max_capacity) = (min, max);
            query.after = None;
            let expected = rig.world.list(&query);
            for page in expected.chunks(2) {
                let found = rig.reader.list(&query).await.unwrap();
                assert_eq!(found.documents, page, "{query:?}");
                query.after = found.next;
            }
            if expected.is_empty() {
                query.after = rig.reader.list(&query).await.unwrap().next;
            }
            assert_eq!(query.after, None, "{query:?}");
        }
    }
}

pub(crate) async fn looking_at_exactly_all_circles_ends_the_list(engine: Engine) {
    let mut rig = shared(engine).await;
    for _ in 0..SCAN_LIMIT {
        rig.world.create("m", 20);
    }
    rig.catch_up().await;
    for mut query in every_list(10) {
        query.max_capacity = Some(20);
        query.min_capacity = Some(20);
        query.name_prefix = "m\u{301}".to_owned();
        let page = rig.reader.list(&query).await.unwrap();
        assert_eq!((page.documents, page.next), (vec![], None));
    }
    // No filter leads anywhere, so all are looked at.
    for mut query in every_list(10) {
        query.min_capacity = Some(1);
        query.name_prefix = "m".to_owned();
        let mut last = rig.reader.list(&query).await.unwrap();
        let mut listed = last.documents;
        while last.next.is_some() {
            query.after = last.next;
            last = rig.reader.list(&query).await.unwrap();
            assert!(!last.documents.is_empty());
            listed.extend(last.documents);
        }
        assert_eq!(listed, rig.world.list(&query));
    }
}
