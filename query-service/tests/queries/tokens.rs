//! Page tokens.

use circles_proto::circles::v1::{CircleFilter, CircleOrder, ListCirclesRequest};
use test_support::redis::Engine;

use crate::failures::invalid_fields;
use crate::world::{ORDERS, Shown, list, shown};

async fn with_five(engine: Engine) -> Shown {
    let mut shown = shown(engine).await;
    for name in ["a", "b", "c", "d", "e"] {
        shown.world.create(name, 20).await;
    }
    shown
}

fn filters() -> Vec<Option<CircleFilter>> {
    let prefix = |name_prefix: &str| CircleFilter {
        name_prefix: name_prefix.to_owned(),
        ..CircleFilter::default()
    };
    let range = |min_capacity, max_capacity| CircleFilter {
        min_capacity,
        max_capacity,
        ..CircleFilter::default()
    };
    vec![
        None,
        Some(prefix("a")),
        Some(range(Some(3), None)),
        Some(range(None, Some(40))),
        Some(range(Some(3), Some(40))),
    ]
}

pub(crate) async fn a_token_is_good_for_its_list_only(engine: Engine) {
    let mut shown = with_five(engine).await;
    let mut tokens = Vec::new();
    for order in ORDERS {
        // The order for want of another is the same list as the one that it stands for.
        let name = match order {
            CircleOrder::Unspecified => CircleOrder::NameAsc,
            other => other,
        };
        for filter in filters().into_iter().filter(|filter| {
            // A list of one page gives no token.
            filter
                .as_ref()
                .is_none_or(|filter| filter.name_prefix.is_empty())
        }) {
            let request = ListCirclesRequest {
                filter,
                ..list(order, 2)
            };
            let page = shown.client.list_circles(request.clone()).await;
            let token = page.unwrap().into_inner().next_page_token;
            assert!(!token.is_empty());
            tokens.push((name, request.filter, token));
        }
    }
    for order in ORDERS.into_iter().skip(1) {
        for filter in filters() {
            for (its_order, its_filter, token) in &tokens {
                let request = ListCirclesRequest {
                    filter: filter.clone(),
                    page_token: token.clone(),
                    ..list(order, 2)
                };
                let page = shown.client.list_circles(request).await;
                if (order, &filter) == (*its_order, its_filter) {
                    assert_eq!(page.unwrap().into_inner().circles.len(), 2);
                } else {
                    assert_eq!(invalid_fields(page), ["page_token"]);
                }
            }
        }
    }
}

pub(crate) async fn a_token_is_good_for_pages_of_any_size(engine: Engine) {
    let mut shown = with_five(engine).await;
    let expected = shown
        .world
        .list(CircleOrder::NameDesc, &CircleFilter::default());
    let mut listed = Vec::new();
    let mut token = String::new();
    for page_size in [1, 3, 1_000] {
        let request = ListCirclesRequest {
            page_token: token,
            ..list(CircleOrder::NameDesc, page_size)
        };
        let page = shown.client.list_circles(request).await;
        let page = page.unwrap().into_inner();
        listed.extend(page.circles);
        token = page.next_page_token;
    }
    assert_eq!((listed, token.as_str()), (expected, ""));
}
