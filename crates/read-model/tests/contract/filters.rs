//! Filters find what they should, at a bounded cost.

use read_model::{ListQuery, Order, SCAN_LIMIT};
use test_support::redis::Engine;

use crate::rig::shared;
use crate::world::{NAMES, every_list};

pub(crate) async fn every_filter_finds_what_it_should_in_every_order(engine: Engine) {
    let mut rig = shared(engine).await;
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

pub(crate) async fn a_filter_that_passes_few_gives_short_pages(engine: Engine) {
    let mut rig = shared(engine).await;
    // More than two scans of circles that do not match, then one that does.
    let others = 2 * SCAN_LIMIT + 10;
    for number in 0..others {
        rig.world.create("m", 20);
        if number % 1_000 == 999 {
            rig.catch_up().await;
        }
    }
    let last = rig.world.create("z", 20);
    rig.catch_up().await;

    let mut query = ListQuery::new(Order::CreateTime, 10);
    query.name_prefix = "z".to_owned();
    for _ in 0..2 {
        let page = rig.reader.list(&query).await.unwrap();
        assert_eq!(page.documents, []);
        query.after = Some(page.next.unwrap());
    }
    let page = rig.reader.list(&query).await.unwrap();
    assert_eq!(page.documents, [rig.world.document(last).unwrap()]);
    assert_eq!(page.next, None);

    // By name the index leads there at once.
    query = ListQuery::new(Order::Name, 10);
    query.name_prefix = "z".to_owned();
    let page = rig.reader.list(&query).await.unwrap();
    assert_eq!((page.documents.len(), page.next), (1, None));
}

pub(crate) async fn looking_at_exactly_all_circles_ends_the_list(engine: Engine) {
    let mut rig = shared(engine).await;
    for number in 1..=SCAN_LIMIT {
        rig.world.create("m", 20);
        if number % 1_000 == 0 {
            rig.catch_up().await;
        }
    }
    for mut query in every_list(10) {
        query.max_capacity = Some(20);
        query.min_capacity = Some(20);
        query.name_prefix = "m\u{301}".to_owned();
        let page = rig.reader.list(&query).await.unwrap();
        assert_eq!((page.documents, page.next), (vec![], None));
    }
}
