//! Every field that breaks a rule is named, all at once. What is wrong with a request shows
//! without a look at Redis, so there is none.

use circles_proto::circles::v1::get_circle_as_of_request::Moment;
use circles_proto::circles::v1::{
    CircleFilter, CircleOrder, GetCircleAsOfRequest, GetCircleHistoryRequest, ListCirclesRequest,
    WatchCirclesRequest,
};
use query_service::config::Config;
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::failures::invalid_fields;
use crate::service::{Client, Service};
use crate::world::{batch_get, get, list};

/// No form of a UUID but the canonical one is an id.
const NO_IDS: [&str; 7] = [
    "",
    "football",
    "0190B5A0-7E3C-7D7A-9B5E-2F6D3C1A0B9F",
    "0190b5a07e3c7d7a9b5e2f6d3c1a0b9f",
    "{0190b5a0-7e3c-7d7a-9b5e-2f6d3c1a0b9f}",
    "0190b5a0-7e3c-7d7a-9b5e-2f6d3c1a0b9",
    "0190b5a0-7e3c-7d7a-9b5e-2f6d3c1a0b9f ",
];

async fn without_redis() -> (Service, Client) {
    // Port 1 of this machine: nothing listens there.
    let service = Service::start(Config::new("redis://127.0.0.1:1"));
    let client = service.client().await;
    (service, client)
}

fn new_id() -> String {
    Uuid::now_v7().to_string()
}

#[tokio::test]
async fn every_field_of_a_get_is_checked() {
    let (_service, mut client) = without_redis().await;
    for id in NO_IDS {
        let answer = client.get_circle(get(id)).await;
        assert_eq!(invalid_fields(answer), ["circle_id"], "{id:?}");
    }
    let mut request = get(&new_id());
    for sequence in [-1, i64::MIN] {
        request.min_sequence = Some(sequence);
        let answer = client.get_circle(request.clone()).await;
        assert_eq!(invalid_fields(answer), ["min_sequence"], "{sequence}");
    }
    request.circle_id.clear();
    let answer = client.get_circle(request).await;
    assert_eq!(invalid_fields(answer), ["circle_id", "min_sequence"]);
}

#[tokio::test]
async fn every_field_of_a_batch_get_is_checked() {
    let (_service, mut client) = without_redis().await;
    let repeated = vec![new_id(); 1_001];
    for ids in [Vec::new(), repeated] {
        let answer = client.batch_get_circles(batch_get(ids)).await;
        assert_eq!(invalid_fields(answer), ["circle_ids"]);
    }
    let mut request = batch_get([&new_id(), "football", &new_id(), "", ""]);
    request.min_sequence = Some(-1);
    let answer = client.batch_get_circles(request).await;
    let named = [
        "circle_ids[1]",
        "circle_ids[3]",
        "circle_ids[4]",
        "min_sequence",
    ];
    assert_eq!(invalid_fields(answer), named);
    for id in NO_IDS {
        let answer = client.batch_get_circles(batch_get([id])).await;
        assert_eq!(invalid_fields(answer), ["circle_ids[0]"], "{id:?}");
    }
}

/// More would not fit into what clients take.
#[tokio::test]
async fn of_very_many_wrong_ids_the_first_are_named() {
    let (_service, mut client) = without_redis().await;
    let answer = client.batch_get_circles(batch_get(vec![""; 1_000])).await;
    let status = answer.unwrap_err();
    assert!(
        status.message().ends_with("and 980 more"),
        "{}",
        status.message()
    );
    let request = status.get_details_bad_request().unwrap();
    let named: Vec<_> = request
        .field_violations
        .into_iter()
        .map(|one| one.field)
        .collect();
    let first: Vec<_> = (0..20).map(|n| format!("circle_ids[{n}]")).collect();
    assert_eq!(named, first);
}

#[tokio::test]
async fn every_field_of_a_list_is_checked() {
    let (_service, mut client) = without_redis().await;
    let good = list(CircleOrder::NameAsc, 10);
    let filtered = |filter| ListCirclesRequest {
        filter: Some(filter),
        ..good.clone()
    };
    let prefix = |text: &str| {
        filtered(CircleFilter {
            name_prefix: text.to_owned(),
            ..CircleFilter::default()
        })
    };
    let range = |least, most| {
        filtered(CircleFilter {
            min_capacity: Some(least),
            max_capacity: Some(most),
            ..CircleFilter::default()
        })
    };
    let sized = |page_size| ListCirclesRequest {
        page_size,
        ..good.clone()
    };
    let ordered = |order_by| ListCirclesRequest {
        order_by,
        ..good.clone()
    };
    let token = |text: &str| ListCirclesRequest {
        page_token: text.to_owned(),
        ..good.clone()
    };
    let since = |min_sequence| ListCirclesRequest {
        min_sequence: Some(min_sequence),
        ..good.clone()
    };
    let everything = ListCirclesRequest {
        page_size: -1,
        // Whether it is good depends on a list that nobody knows.
        page_token: "garbage".to_owned(),
        order_by: 7,
        filter: Some(CircleFilter {
            name_prefix: "\0".to_owned(),
            min_capacity: Some(2),
            max_capacity: Some(1),
        }),
        min_sequence: Some(-1),
    };
    let wrong: Vec<(ListCirclesRequest, &[&str])> = vec![
        (sized(-1), &["page_size"]),
        (sized(1_001), &["page_size"]),
        (sized(i32::MIN), &["page_size"]),
        (ordered(7), &["order_by"]),
        (ordered(-1), &["order_by"]),
        (prefix(&"a".repeat(101)), &["filter.name_prefix"]),
        (prefix("foot\nball"), &["filter.name_prefix"]),
        (range(4, 3), &["filter.min_capacity"]),
        (range(i32::MAX, i32::MIN), &["filter.min_capacity"]),
        (token("garbage"), &["page_token"]),
        (token("????"), &["page_token"]),
        (token("e30"), &["page_token"]),
        (token(&"A".repeat(5_000)), &["page_token"]),
        (since(-1), &["min_sequence"]),
        (
            everything,
            &[
                "page_size",
                "order_by",
                "filter.name_prefix",
                "filter.min_capacity",
                "min_sequence",
            ],
        ),
    ];
    for (request, fields) in wrong {
        let answer = client.list_circles(request.clone()).await;
        assert_eq!(invalid_fields(answer), fields, "{request:?}");
    }
}

#[tokio::test]
async fn every_field_of_a_history_is_checked() {
    let (_service, mut client) = without_redis().await;
    let request = GetCircleHistoryRequest {
        circle_id: "football".into(),
        page_size: 1_001,
        page_token: "?".into(),
        descending: true,
        min_sequence: Some(-1),
    };
    let answer = client.get_circle_history(request.clone()).await;
    assert_eq!(
        invalid_fields(answer),
        ["circle_id", "page_size", "min_sequence"]
    );
    // A token can only be held against a history that is known.
    let answer = client
        .get_circle_history(GetCircleHistoryRequest {
            circle_id: new_id(),
            ..request
        })
        .await;
    assert_eq!(
        invalid_fields(answer),
        ["page_size", "page_token", "min_sequence"]
    );
}

#[tokio::test]
async fn every_field_of_a_moment_is_checked() {
    let (_service, mut client) = without_redis().await;
    let time = |nanos| Moment::Time(prost_types::Timestamp { seconds: 0, nanos });
    for (moment, field) in [
        (None, "moment"),
        (Some(Moment::Version(0)), "version"),
        (Some(Moment::Version(-1)), "version"),
        (Some(time(-1)), "time"),
        (Some(time(1_000_000_000)), "time"),
    ] {
        let request = GetCircleAsOfRequest {
            circle_id: "football".into(),
            moment,
            min_sequence: Some(-1),
        };
        let answer = client.get_circle_as_of(request).await;
        assert_eq!(invalid_fields(answer), ["circle_id", field, "min_sequence"]);
    }
}

#[tokio::test]
async fn every_field_of_a_watch_is_checked() {
    let (_service, mut client) = without_redis().await;
    let request = WatchCirclesRequest {
        from_sequence: Some(-1),
        circle_ids: vec![new_id(), "football".into()],
    };
    let answer = client.watch_circles(request).await;
    assert_eq!(invalid_fields(answer), ["from_sequence", "circle_ids[1]"]);
    let request = WatchCirclesRequest {
        from_sequence: None,
        circle_ids: vec![new_id(); 1_001],
    };
    let answer = client.watch_circles(request).await;
    assert_eq!(invalid_fields(answer), ["circle_ids"]);
}
