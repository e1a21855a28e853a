//! Every field that breaks a rule is named, all at once; and none that keeps them.

use circles_proto::circles::v1::{CreateCircleRequest, DeleteCircleRequest, UpdateCircleRequest};
use command_service::config::Config;
use service_kit::server::MAX_MESSAGE_SIZE;
use test_support::mysql::Engine;
use test_support::on_every_engine;
use tonic::Code;

use crate::failures::invalid_fields;
use crate::log::fresh;
use crate::service::{Answer, Client, Service, create, delete, new_id, rename, resize};

on_every_engine!(
    what_just_keeps_the_rules_is_stored,
    names_and_reasons_are_stored_trimmed_and_in_normal_form,
    an_invalid_request_leaves_nothing_behind,
);

/// No form of a UUID but the canonical one is an id.
const NO_IDS: [&str; 7] = [
    "",
    "football",
    "0190B5A0-7E3C-7D7A-9B5E-2F6D3C1A0B9F",
    "0190b5a07e3c7d7a9b5e2f6d3c1a0b9f",
    "{0190b5a0-7e3c-7d7a-9b5e-2f6d3c1a0b9f}",
    "0190b5a0-7e3c-7d7a-9b5e-2f6d3c1a0b9",
    " 0190b5a0-7e3c-7d7a-9b5e-2f6d3c1a0b9f",
];

const NO_CAPACITIES: [i32; 6] = [i32::MIN, -1, 0, 2, 32_768, i32::MAX];

const NO_VERSIONS: [i32; 3] = [i32::MIN, -1, 0];

fn no_names() -> [String; 7] {
    [
        String::new(),
        " \u{3000}\t".to_owned(),
        "a".repeat(101),
        "将".repeat(101),
        "foot\nball".to_owned(),
        "foot\0ball".to_owned(),
        "foot\u{85}ball".to_owned(),
    ]
}

/// What is wrong with a request shows without a look at the database, so there is none.
async fn without_a_database() -> (Service, Client) {
    let service = Service::start(Config::new("mysql://root@127.0.0.1:1/circles"));
    let client = service.client().await;
    (service, client)
}

#[tokio::test]
async fn a_message_beyond_all_measure_is_not_even_read() {
    let (_service, mut client) = without_a_database().await;
    let huge = create(&"a".repeat(MAX_MESSAGE_SIZE), 20);
    let mut other = client.clone();
    let (refused, other) = tokio::join!(
        client.create_circle(huge),
        // On the same connection, meanwhile.
        other.create_circle(create("", 20))
    );
    assert_eq!(refused.unwrap_err().code(), Code::OutOfRange);
    assert_eq!(invalid_fields(other), ["name"]);
    // Just below, it is a name that is too long.
    let long = create(&"a".repeat(MAX_MESSAGE_SIZE - 100), 20);
    assert_eq!(invalid_fields(client.create_circle(long).await), ["name"]);
}

#[tokio::test]
async fn every_field_of_a_creation_is_checked() {
    let (_service, mut client) = without_a_database().await;
    for name in no_names() {
        let answer = client.create_circle(create(&name, 20)).await;
        assert_eq!(invalid_fields(answer), ["name"], "{name:?}");
    }
    for capacity in NO_CAPACITIES {
        let answer = client.create_circle(create("football", capacity)).await;
        assert_eq!(invalid_fields(answer), ["capacity"], "{capacity}");
    }
    for id in NO_IDS {
        let (mut circle, mut request) = (create("football", 20), create("football", 20));
        circle.circle_id = Some(id.to_owned());
        request.request_id = Some(id.to_owned());
        let answer = client.create_circle(circle).await;
        assert_eq!(invalid_fields(answer), ["circle_id"], "{id:?}");
        let answer = client.create_circle(request).await;
        assert_eq!(invalid_fields(answer), ["request_id"], "{id:?}");
    }
    let answer = client
        .create_circle(CreateCircleRequest {
            name: String::new(),
            capacity: 2,
            circle_id: Some("football".to_owned()),
            request_id: Some("1".to_owned()),
        })
        .await;
    let all = ["name", "capacity", "circle_id", "request_id"];
    assert_eq!(invalid_fields(answer), all);
}

#[tokio::test]
async fn every_field_of_an_update_is_checked() {
    let (_service, mut client) = without_a_database().await;
    let id = new_id();
    for name in no_names() {
        let answer = client.update_circle(rename(&id, &name)).await;
        assert_eq!(invalid_fields(answer), ["name"], "{name:?}");
    }
    for capacity in NO_CAPACITIES {
        let answer = client.update_circle(resize(&id, capacity)).await;
        assert_eq!(invalid_fields(answer), ["capacity"], "{capacity}");
    }
    for version in NO_VERSIONS {
        let mut update = resize(&id, 30);
        update.version = Some(version);
        let answer = client.update_circle(update).await;
        assert_eq!(invalid_fields(answer), ["version"], "{version}");
    }
    for no_id in NO_IDS {
        let mut request = resize(&id, 30);
        request.request_id = Some(no_id.to_owned());
        let answer = client.update_circle(resize(no_id, 30)).await;
        assert_eq!(invalid_fields(answer), ["circle_id"], "{no_id:?}");
        let answer = client.update_circle(request).await;
        assert_eq!(invalid_fields(answer), ["request_id"], "{no_id:?}");
    }
    // Nothing to change.
    let mut nothing = resize(&id, 30);
    nothing.capacity = None;
    let answer = client.update_circle(nothing).await;
    assert_eq!(invalid_fields(answer), ["name"]);

    let mut all = UpdateCircleRequest {
        circle_id: "football".to_owned(),
        name: Some(String::new()),
        capacity: Some(2),
        version: Some(0),
        request_id: Some("1".to_owned()),
    };
    let named = ["circle_id", "name", "capacity", "version", "request_id"];
    assert_eq!(
        invalid_fields(client.update_circle(all.clone()).await),
        named
    );
    (all.name, all.capacity) = (None, None);
    let named = ["circle_id", "name", "version", "request_id"];
    assert_eq!(invalid_fields(client.update_circle(all).await), named);
}

#[tokio::test]
async fn every_field_of_a_deletion_is_checked() {
    let (_service, mut client) = without_a_database().await;
    let id = new_id();
    for reason in ["a".repeat(501), " \t".to_owned(), "no\nmembers".to_owned()] {
        let mut request = delete(&id);
        request.reason = Some(reason.clone());
        let answer = client.delete_circle(request).await;
        assert_eq!(invalid_fields(answer), ["reason"], "{reason:?}");
    }
    for version in NO_VERSIONS {
        let mut request = delete(&id);
        request.version = Some(version);
        let answer = client.delete_circle(request).await;
        assert_eq!(invalid_fields(answer), ["version"], "{version}");
    }
    for no_id in NO_IDS {
        let mut request = delete(&id);
        request.request_id = Some(no_id.to_owned());
        let answer = client.delete_circle(delete(no_id)).await;
        assert_eq!(invalid_fields(answer), ["circle_id"], "{no_id:?}");
        let answer = client.delete_circle(request).await;
        assert_eq!(invalid_fields(answer), ["request_id"], "{no_id:?}");
    }
    let answer = client
        .delete_circle(DeleteCircleRequest {
            circle_id: "football".to_owned(),
            version: Some(0),
            reason: Some("\0".to_owned()),
            request_id: Some("1".to_owned()),
        })
        .await;
    let all = ["circle_id", "version", "reason", "request_id"];
    assert_eq!(invalid_fields(answer), all);
}

async fn what_just_keeps_the_rules_is_stored(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    // Four bytes each in UTF-8, and what JSON and SQL would trip over.
    let names = ["a", "'\"\\%_`;--", &"𝄞".repeat(100)];
    for (name, capacity) in names.into_iter().zip([3, 32_767, 3]) {
        client.create_circle(create(name, capacity)).await.unwrap();
    }
    let stored = payloads(&log.events().await, "name");
    assert_eq!(stored, names);

    let events = log.events().await;
    let mut last = delete(&events[0].circle_id);
    last.reason = Some("理".repeat(500));
    let mut without = delete(&events[1].circle_id);
    // Many clients send an empty text for no text.
    without.reason = Some(String::new());
    client.delete_circle(last.clone()).await.unwrap();
    client.delete_circle(without).await.unwrap();
    let stored = payloads(&log.events().await[3..], "reason");
    assert_eq!(stored, [last.reason.unwrap(), "none".to_owned()]);
}

async fn names_and_reasons_are_stored_trimmed_and_in_normal_form(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    // A letter and an accent that become one character; 102 characters that become 100.
    let decomposed = "\u{3000} Cafe\u{301} \t".to_owned();
    let long = format!(" {}e\u{301} ", "x".repeat(99));
    let made = client.create_circle(create(&decomposed, 20)).await.unwrap();
    let id = Answer::from(made).circle_id;
    client.update_circle(rename(&id, &long)).await.unwrap();
    let mut last = delete(&id);
    last.reason = Some(decomposed);
    client.delete_circle(last).await.unwrap();

    let events = log.events().await;
    let long = format!("{}é", "x".repeat(99));
    assert_eq!(payloads(&events[..2], "name"), ["Café", &long]);
    assert_eq!(payloads(&events[2..], "reason"), ["Café"]);
}

async fn an_invalid_request_leaves_nothing_behind(engine: Engine) {
    let (log, _service, mut client) = fresh(engine).await;
    let mut request = create("football", 2);
    request.request_id = Some(new_id());
    let answer = client.create_circle(request.clone()).await;
    assert_eq!(invalid_fields(answer), ["capacity"]);
    assert_eq!(log.events().await, []);
    // Its request id is still free.
    request.capacity = 20;
    client.create_circle(request).await.unwrap();
    assert_eq!(log.events().await.len(), 1);
}

/// One field of each event's payload.
fn payloads(events: &[crate::log::Event], field: &str) -> Vec<String> {
    let read = |event: &crate::log::Event| {
        let payload: serde_json::Value = serde_json::from_str(&event.payload).unwrap();
        payload[field].as_str().unwrap_or("none").to_owned()
    };
    events.iter().map(read).collect()
}
