//! Lists, by pages.

use std::collections::BTreeSet;

use circles_proto::circles::v1::{Circle, CircleFilter, CircleOrder, ListCirclesRequest};
use test_support::redis::Engine;

use crate::world::{ORDERS, Shown, list, shown, walk};

/// Names that are hard to order and to cut: repeated, beginning with each other, of one to four
/// bytes per character.
const NAMES: [&str; 10] = [
    "a",
    "a b",
    "ab",
    "abc",
    "chess",
    "Zoo",
    "é",
    "将棋",
    "将棋部",
    "😀",
];

/// A read model of 60 circles with few names and few capacities.
async fn sixty(engine: Engine) -> Shown {
    let mut shown = shown(engine).await;
    for n in 0..60 {
        let name = NAMES[n * 7 % NAMES.len()];
        let capacity = 3 + i32::try_from(n * 31 % 8).unwrap();
        shown.world.create(name, capacity).await;
    }
    shown
}

pub(crate) async fn every_order_lists_all_circles_page_by_page(engine: Engine) {
    let mut shown = sixty(engine).await;
    for order in ORDERS {
        let expected = shown.world.list(order, &CircleFilter::default());
        assert_eq!(expected.len(), 60);
        for page_size in [1, 7, 59, 60, 61, 1_000] {
            let listed = walk(&mut shown.client, list(order, page_size)).await;
            assert_eq!(listed, expected, "{order:?} by {page_size}");
        }
    }
    let page = shown.client.list_circles(list(ORDERS[0], 60)).await;
    let page = page.unwrap().into_inner();
    assert_eq!((page.next_page_token.as_str(), page.sequence), ("", 60));
}

pub(crate) async fn every_filter_lists_what_meets_it(engine: Engine) {
    let mut shown = sixty(engine).await;
    let prefixes = ["", "a", "a ", "将棋", "chess", "chess club"];
    let ranges = [
        (None, None),
        (Some(5), None),
        (None, Some(6)),
        (Some(5), Some(7)),
        (Some(5), Some(5)),
        (Some(i32::MIN), Some(i32::MAX)),
        (Some(11), Some(i32::MAX)),
    ];
    for order in ORDERS {
        for name_prefix in prefixes {
            for (min_capacity, max_capacity) in ranges {
                let filter = CircleFilter {
                    name_prefix: name_prefix.to_owned(),
                    min_capacity,
                    max_capacity,
                };
                let request = ListCirclesRequest {
                    filter: Some(filter.clone()),
                    ..list(order, 9)
                };
                let listed = walk(&mut shown.client, request).await;
                assert_eq!(listed, shown.world.list(order, &filter), "{filter:?}");
            }
        }
    }
}

pub(crate) async fn a_page_has_fifty_circles_where_nothing_is_said(engine: Engine) {
    let mut shown = sixty(engine).await;
    let expected = shown
        .world
        .list(CircleOrder::NameAsc, &CircleFilter::default());
    let mut request = ListCirclesRequest::default();
    let first = shown.client.list_circles(request.clone()).await;
    let first = first.unwrap().into_inner();
    assert_eq!(first.circles, expected[..50]);
    request.page_token = first.next_page_token;
    let second = shown.client.list_circles(request).await;
    let second = second.unwrap().into_inner();
    assert_eq!(second.circles, expected[50..]);
    assert_eq!(second.next_page_token, "");
}

pub(crate) async fn a_prefix_is_found_in_whatever_form_it_is_written(engine: Engine) {
    let mut shown = shown(engine).await;
    let id = shown.world.create("Café", 20).await;
    shown.world.create("Cafe", 20).await;
    let request = ListCirclesRequest {
        filter: Some(CircleFilter {
            name_prefix: "Cafe\u{301}".to_owned(),
            ..CircleFilter::default()
        }),
        ..list(CircleOrder::NameAsc, 10)
    };
    let listed = walk(&mut shown.client, request).await;
    assert_eq!(listed, [shown.world.circle(&id)]);
}

pub(crate) async fn a_circle_that_does_not_move_is_listed_once_while_others_do(engine: Engine) {
    for order in ORDERS {
        let Shown {
            mut world,
            mut client,
            service: _service,
            redis: _redis,
        } = sixty(engine).await;
        let before = world.list(order, &CircleFilter::default());
        // Every fourth circle does not move; those between are deleted, renamed and resized.
        let still: Vec<Circle> = before.iter().step_by(4).cloned().collect();
        let ids: BTreeSet<_> = still
            .iter()
            .map(|circle| circle.circle_id.clone())
            .collect();
        let mut moving = before
            .into_iter()
            .filter(|circle| !ids.contains(&circle.circle_id));

        let mut request = list(order, 5);
        let mut seen = Vec::new();
        loop {
            let page = client.list_circles(request.clone()).await;
            let page = page.unwrap().into_inner();
            seen.extend(page.circles);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
            world.create("a", 3).await;
            for (n, circle) in moving.by_ref().take(3).enumerate() {
                match n {
                    0 => world.delete(&circle.circle_id).await,
                    1 => world.update(&circle.circle_id, "zz", 3).await,
                    _ => world.update(&circle.circle_id, "A", 300).await,
                }
            }
        }
        seen.retain(|circle| ids.contains(&circle.circle_id));
        assert_eq!(seen, still, "{order:?}");
    }
}
