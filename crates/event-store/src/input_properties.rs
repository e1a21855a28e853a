//! Rows are read or called damaged, whatever their columns hold.

use chrono::DateTime;
use fuzz_support::texts;
use proptest::prelude::*;
use proptest::sample::select;
use shared_domain::{CircleId, Sequence, Version, snapshot};

use crate::error::Damage;
use crate::load::{FoldRow, SnapshotRow, StoredCircle};
use crate::log::EventRow;

const ID: &str = "01890000-0000-7000-8000-000000000001";

fn ids() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(ID.to_owned()), 1 => texts([ID])]
}

fn numbers() -> impl Strategy<Value = i32> {
    prop_oneof![4 => 0..4_i32, 1 => select(vec![i32::MAX, i32::MAX - 1, i32::MIN]), 1 => any::<i32>()]
}

fn event_types() -> impl Strategy<Value = String> {
    let known = ["CircleCreated", "CircleUpdated", "CircleDeleted"];
    prop_oneof![8 => select(known.map(str::to_owned).to_vec()), 1 => texts(known)]
}

fn payloads() -> impl Strategy<Value = String> {
    texts([
        r#"{"type":"circle_created","name":"football","capacity":30}"#,
        r#"{"type":"circle_updated","name":"将棋"}"#,
        r#"{"type":"circle_updated","capacity":40,"schema":1}"#,
        r#"{"type":"circle_deleted"}"#,
        r#"{"type":"circle_deleted","reason":"too few"}"#,
    ])
}

fn states() -> impl Strategy<Value = String> {
    texts([
        r#"{"phase":"active","name":"football","capacity":30,"version":3}"#,
        r#"{"phase":"active","name":"football","capacity":30,"version":2147483647}"#,
        r#"{"phase":"deleted","version":4}"#,
    ])
}

/// What a circle was before: nothing, or any state.
fn before() -> impl Strategy<Value = StoredCircle> {
    prop_oneof![
        Just(StoredCircle::default()),
        states().prop_map(|state| StoredCircle {
            circle: snapshot::decode(snapshot::SCHEMA, &state).unwrap_or_default(),
            sequence: Sequence::new(7),
        }),
    ]
}

#[test]
fn no_event_follows_the_last_version() {
    let state = r#"{"phase":"active","name":"football","capacity":30,"version":2147483647}"#;
    let onto = StoredCircle {
        circle: snapshot::decode(snapshot::SCHEMA, state).unwrap(),
        sequence: Sequence::new(7),
    };
    for version in [1, i32::MAX] {
        let row = FoldRow {
            sequence: 8,
            version,
            event_type: "CircleDeleted".to_owned(),
            payload: r#"{"type":"circle_deleted"}"#.to_owned(),
        };
        let circle_id = CircleId::parse(ID).unwrap();
        let answer = row.apply(circle_id, onto.clone());
        assert!(matches!(answer, Err(Damage::Misfit { .. })));
    }
}

proptest! {
    #[test]
    fn rows_of_the_log_survive_any_bytes(
        sequence in any::<u64>(),
        ids in (ids(), ids()),
        version in numbers(),
        event_type in event_types(),
        payload in payloads(),
        metadata in texts(["{}", r#"{"actor":"anna","request_id":null}"#]),
    ) {
        let (id, circle_id) = ids;
        let row = EventRow {
            sequence,
            id: &id,
            circle_id: &circle_id,
            version,
            event_type: &event_type,
            payload: &payload,
            metadata: &metadata,
            occurred_at: DateTime::UNIX_EPOCH,
        };
        match row.into_entry() {
            Ok(entry) => {
                prop_assert_eq!((entry.id.to_string(), entry.circle_id.to_string()), (id, circle_id));
                prop_assert_eq!(entry.version.get(), version);
                let readable = entry.event.is_ok();
                prop_assert_eq!(entry.recorded().is_ok(), readable);
            }
            Err(Damage::Column { sequence: of, .. }) => prop_assert_eq!(of.get(), sequence),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
    }

    #[test]
    fn rows_of_snapshots_survive_any_bytes(
        version in numbers(),
        sequence in any::<u64>(),
        schema_version in 0..3_u32,
        state in states(),
    ) {
        let row = SnapshotRow { version, sequence, schema_version, state };
        if let Ok(stored) = row.decode() {
            prop_assert_eq!(stored.circle.version().map(Version::get), Some(version));
            prop_assert_eq!(stored.sequence.get(), sequence);
        }
    }

    #[test]
    fn folded_rows_survive_any_bytes(
        onto in before(),
        sequence in any::<u64>(),
        version in numbers(),
        event_type in event_types(),
        payload in payloads(),
    ) {
        let row = FoldRow { sequence, version, event_type, payload };
        let circle_id = CircleId::parse(ID).unwrap();
        if let Ok(after) = row.apply(circle_id, onto.clone()) {
            prop_assert_eq!(after.sequence.get(), sequence);
            prop_assert_eq!(after.circle.version(), onto.circle.next_version());
            prop_assert_eq!(after.circle.version().map(Version::get), Some(version));
        }
    }
}
