//! Payloads and snapshots: their exact form, and what is refused.

use serde_json::Value;
use shared_domain::{
    ActiveCircle, Circle, CircleEvent, PayloadError, SnapshotError, payload, snapshot,
};

use crate::examples::{capacity, created, deleted, name, reason, renamed, resized, version};

#[test]
fn a_payload_has_exactly_this_form() {
    let both = CircleEvent::CircleUpdated {
        name: Some(name("baseball")),
        capacity: Some(capacity(40)),
    };
    let why = CircleEvent::CircleDeleted {
        reason: Some(reason("why")),
    };
    for (event, form) in [
        (
            created("football", 20),
            r#"{"type":"circle_created","name":"football","capacity":20}"#,
        ),
        (
            both,
            r#"{"type":"circle_updated","name":"baseball","capacity":40}"#,
        ),
        (
            renamed("a \"b\" \\ 将"),
            r#"{"type":"circle_updated","name":"a \"b\" \\ 将"}"#,
        ),
        (resized(30), r#"{"type":"circle_updated","capacity":30}"#),
        (deleted(), r#"{"type":"circle_deleted"}"#),
        (why, r#"{"type":"circle_deleted","reason":"why"}"#),
    ] {
        assert_eq!(payload::encode(&event), form);
        assert_eq!(payload::decode(event.event_type(), form).unwrap(), event);
    }
}

#[test]
fn a_database_may_rewrite_a_payload() {
    for rewritten in [
        r#"{"name": "football", "type": "circle_created", "capacity": 20}"#,
        "\n{ \"capacity\" : 20,\t\"name\":\"\\u0066ootball\",\r\n \"type\":\"circle_created\" } ",
        r#"{"schema":1,"type":"circle_created","name":"football","capacity":20}"#,
    ] {
        let event = payload::decode("CircleCreated", rewritten).unwrap();
        assert_eq!(event, created("football", 20));
    }
}

#[test]
fn an_option_may_be_null() {
    let event = payload::decode(
        "CircleUpdated",
        r#"{"type":"circle_updated","name":null,"capacity":30}"#,
    );
    assert_eq!(event.unwrap(), resized(30));
}

#[test]
fn an_unknown_event_type_is_named() {
    for unknown in ["CircleMerged", "circle_created", "circlecreated", ""] {
        let refused = payload::decode(unknown, r#"{"type":"circle_created"}"#);
        assert!(
            matches!(&refused, Err(PayloadError::UnknownEventType { event_type }) if event_type == unknown),
            "{refused:?}",
        );
    }
}

#[test]
fn the_tag_must_agree_with_the_event_type() {
    for tag in ["circle_deleted", "circle_merged", "CircleUpdated"] {
        let text = format!(r#"{{"type":"{tag}","capacity":30}}"#);
        let refused = payload::decode("CircleUpdated", &text);
        assert!(
            matches!(&refused, Err(PayloadError::OtherType { found, .. }) if found == tag),
            "{refused:?}",
        );
    }
}

#[test]
fn a_schema_that_is_not_known_is_refused_before_its_fields_are_read() {
    let newer = payload::decode(
        "CircleUpdated",
        r#"{"type":"circle_updated","schema":2,"colour":"red"}"#,
    );
    assert!(
        matches!(
            newer,
            Err(PayloadError::NewerSchema {
                written: 2,
                present: 1,
            })
        ),
        "{newer:?}",
    );
    let none = payload::decode(
        "CircleUpdated",
        r#"{"type":"circle_updated","schema":0,"capacity":30}"#,
    );
    assert!(
        matches!(none, Err(PayloadError::UnknownSchema { written: 0 })),
        "{none:?}",
    );
}

#[test]
fn an_update_that_sets_nothing_is_refused() {
    for empty in [
        r#"{"type":"circle_updated"}"#,
        r#"{"type":"circle_updated","name":null,"capacity":null}"#,
    ] {
        let refused = payload::decode("CircleUpdated", empty);
        assert!(
            matches!(refused, Err(PayloadError::EmptyUpdate)),
            "{refused:?}",
        );
    }
}

#[test]
fn a_malformed_payload_is_refused() {
    for (event_type, text) in [
        ("CircleUpdated", ""),
        ("CircleUpdated", "null"),
        ("CircleUpdated", "[]"),
        ("CircleUpdated", r#""circle_updated""#),
        ("CircleUpdated", r#"["circle_updated",null,30]"#),
        ("CircleUpdated", r#"{"type":"circle_updated","capacity":30"#),
        (
            "CircleUpdated",
            r#"{"type":"circle_updated","capacity":30}x"#,
        ),
        ("CircleUpdated", r#"{"capacity":30}"#),
        ("CircleUpdated", r#"{"type":2,"capacity":30}"#),
        ("CircleUpdated", r#"{"type":"circle_updated","capacity":2}"#),
        (
            "CircleUpdated",
            r#"{"type":"circle_updated","capacity":30.5}"#,
        ),
        (
            "CircleUpdated",
            r#"{"type":"circle_updated","capacity":"30"}"#,
        ),
        ("CircleUpdated", r#"{"type":"circle_updated","name":""}"#),
        (
            "CircleUpdated",
            r#"{"type":"circle_updated","capacity":30,"colour":"red"}"#,
        ),
        (
            "CircleUpdated",
            r#"{"type":"circle_updated","capacity":30,"schema":"1"}"#,
        ),
        (
            "CircleUpdated",
            r#"{"type":"circle_updated","capacity":30,"schema":-1}"#,
        ),
        (
            "CircleUpdated",
            r#"{"type":"circle_updated","capacity":30,"schema":null}"#,
        ),
        (
            "CircleCreated",
            r#"{"type":"circle_created","name":"football"}"#,
        ),
        (
            "CircleCreated",
            r#"{"type":"circle_created","capacity":20}"#,
        ),
        (
            "CircleDeleted",
            r#"{"type":"circle_deleted","reason":"a\nb"}"#,
        ),
        (
            "CircleDeleted",
            r#"{"type":"circle_deleted","name":"football"}"#,
        ),
    ] {
        let refused = payload::decode(event_type, text);
        assert!(
            matches!(refused, Err(PayloadError::Malformed(_))),
            "{text}: {refused:?}",
        );
    }
    let deep = "[".repeat(100_000);
    assert!(payload::decode("CircleUpdated", &deep).is_err());
    assert!(snapshot::decode(snapshot::SCHEMA, &deep).is_err());
}

/// Where this fails, the form has changed: raise `snapshot::SCHEMA`.
#[test]
fn a_snapshot_of_schema_1_has_exactly_this_form() {
    let active = Circle::Active(ActiveCircle {
        name: name("football"),
        capacity: capacity(20),
        version: version(5),
    });
    let gone = Circle::Deleted {
        version: version(6),
    };
    assert_eq!(snapshot::SCHEMA, 1);
    for (circle, form) in [
        (Circle::Absent, r#"{"phase":"absent"}"#),
        (
            active,
            r#"{"phase":"active","name":"football","capacity":20,"version":5}"#,
        ),
        (gone, r#"{"phase":"deleted","version":6}"#),
    ] {
        assert_eq!(snapshot::encode(&circle), form);
        assert_eq!(snapshot::decode(1, form).unwrap(), circle);
        // A database may rewrite it.
        let value: Value = serde_json::from_str(form).unwrap();
        assert_eq!(snapshot::decode(1, &format!("{value:#}")).unwrap(), circle);
    }
}

#[test]
fn a_snapshot_of_another_schema_is_not_looked_at() {
    for schema in [0, 2, u32::MAX] {
        let refused = snapshot::decode(schema, r#"{"phase":"absent"}"#);
        assert!(
            matches!(refused, Err(SnapshotError::OtherSchema(other)) if other == schema),
            "{refused:?}",
        );
    }
}

#[test]
fn a_malformed_snapshot_is_refused() {
    for text in [
        "",
        "{}",
        "null",
        r#"{"phase":"gone"}"#,
        r#"{"phase":"absent","version":1}"#,
        r#"{"phase":"deleted"}"#,
        r#"{"phase":"deleted","version":0}"#,
        r#"{"phase":"active","name":"football","capacity":2,"version":5}"#,
        r#"{"phase":"active","name":"","capacity":20,"version":5}"#,
        r#"{"phase":"active","name":"football","capacity":20,"version":5,"colour":"red"}"#,
    ] {
        let refused = snapshot::decode(1, text);
        assert!(
            matches!(refused, Err(SnapshotError::Malformed(_))),
            "{text}: {refused:?}",
        );
    }
}
