//! The rows of the log, as everyone who reads it relies on them.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use test_support::mysql::Engine;
use test_support::on_every_engine;
use tonic::Request;

use crate::log::fresh;
use crate::service::{Answer, create, delete, new_id, rename, resize};

on_every_engine!(
    every_event_is_one_row_with_all_that_is_known,
    a_call_that_tells_nothing_leaves_no_metadata,
    a_malformed_traceparent_is_passed_over,
);

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn traced<T>(message: T, traceparent: &'static str) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("traceparent", traceparent.parse().unwrap());
    request
}

/// Databases may write JSON in another order.
fn read(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

async fn every_event_is_one_row_with_all_that_is_known(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let begun = Utc::now();
    let request_ids: Vec<String> = (0..5).map(|_| new_id()).collect();
    let request_id = |n: usize| Some(request_ids[n].clone());

    let mut creation = create("football", 20);
    (creation.circle_id, creation.request_id) = (Some(new_id()), request_id(0));
    let id = creation.circle_id.clone().unwrap();
    let mut name = rename(&id, "baseball");
    name.request_id = request_id(1);
    let mut capacity = resize(&id, 30);
    (capacity.request_id, capacity.version) = (request_id(2), Some(2));
    let mut both = rename(&id, "softball");
    (both.request_id, both.capacity) = (request_id(3), Some(40));
    let mut deletion = delete(&id);
    (deletion.request_id, deletion.reason) = (request_id(4), Some("no members".to_owned()));

    client
        .create_circle(traced(creation, TRACEPARENT))
        .await
        .unwrap();
    for update in [name, capacity, both] {
        client
            .update_circle(traced(update, TRACEPARENT))
            .await
            .unwrap();
    }
    client
        .delete_circle(traced(deletion, TRACEPARENT))
        .await
        .unwrap();

    let wanted = [
        (
            "CircleCreated",
            json!({"type": "circle_created", "name": "football", "capacity": 20}),
        ),
        (
            "CircleUpdated",
            json!({"type": "circle_updated", "name": "baseball"}),
        ),
        (
            "CircleUpdated",
            json!({"type": "circle_updated", "capacity": 30}),
        ),
        (
            "CircleUpdated",
            json!({"type": "circle_updated", "name": "softball", "capacity": 40}),
        ),
        (
            "CircleDeleted",
            json!({"type": "circle_deleted", "reason": "no members"}),
        ),
    ];
    let events = log.events().await;
    assert_eq!(events.len(), wanted.len());
    let mut earlier = begun - TimeDelta::microseconds(1);
    for (n, (event, (event_type, payload))) in events.iter().zip(wanted).enumerate() {
        let place = i32::try_from(n).unwrap() + 1;
        assert_eq!(event.version, place);
        assert_eq!(
            (&event.id, &event.circle_id, event.event_type.as_str()),
            (&request_ids[n], &id, event_type)
        );
        assert_eq!(read(&event.payload), payload);
        let metadata = json!({"traceparent": TRACEPARENT, "request_id": request_ids[n]});
        assert_eq!(read(&event.metadata), metadata);
        assert!(event.occurred_at >= earlier && event.occurred_at <= Utc::now());
        earlier = event.occurred_at;
    }
}

async fn a_call_that_tells_nothing_leaves_no_metadata(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let made = Answer::from(client.create_circle(create("football", 20)).await.unwrap());
    client.delete_circle(delete(&made.circle_id)).await.unwrap();

    let events = log.events().await;
    for event in &events {
        assert_eq!(read(&event.metadata), json!({}));
        // Its id is made here: a UUID of version 7.
        let id = uuid::Uuid::parse_str(&event.id).unwrap();
        assert_eq!(
            (id.get_version_num(), id.to_string()),
            (7, event.id.clone())
        );
    }
    assert_ne!(events[0].id, events[1].id);
    assert_eq!(read(&events[1].payload), json!({"type": "circle_deleted"}));
}

async fn a_malformed_traceparent_is_passed_over(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let malformed = [
        "",
        "football",
        "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0\"",
    ];
    for traceparent in malformed {
        let request = traced(create("football", 20), traceparent);
        client.create_circle(request).await.unwrap();
    }
    let events = log.events().await;
    assert_eq!(events.len(), malformed.len());
    for event in events {
        assert_eq!(read(&event.metadata), json!({}));
    }
}
