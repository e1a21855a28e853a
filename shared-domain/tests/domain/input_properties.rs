//! What comes from outside of the program is read or refused, whatever it is: damaged samples of what is stored, and
//! texts that clients make up.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use fuzz_support::texts;
use proptest::prelude::*;
use proptest::sample::select;
use shared_domain::{
    Capacity, CircleId, CircleName, DeletionReason, EventId, Metadata, NamePrefix, Sequence,
    Version, payload, snapshot,
};

use crate::strategies;

/// The kept payloads of every event.
fn payloads() -> &'static [String] {
    static SAMPLES: OnceLock<Vec<String>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");
        let entries = |folder: PathBuf| {
            let entries = fs::read_dir(folder).expect("a folder of samples");
            entries.map(|entry| entry.expect("an entry of a folder").path())
        };
        entries(PathBuf::from(folder))
            .flat_map(entries)
            .map(|file| fs::read_to_string(file).expect("a readable sample"))
            .collect()
    })
}

const SNAPSHOTS: &[&str] = &[
    r#"{"phase":"absent"}"#,
    r#"{"phase":"active","name":"football","capacity":30,"version":3}"#,
    r#"{"phase":"deleted","version":4}"#,
];

const METADATA: &[&str] = &[
    "{}",
    r#"{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","actor":"anna"}"#,
    r#"{"request_id":"01890000-0000-7000-8000-000000000001","more":[1,{"a":null}]}"#,
];

const IDS: &[&str] = &[
    "01890000-0000-7000-8000-000000000001",
    "01890000-0000-7000-8000-00000000000A",
    "01890000000070008000000000000001",
    "{01890000-0000-7000-8000-000000000001}",
    "urn:uuid:01890000-0000-7000-8000-000000000001",
];

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "3",
    "30",
    "32767",
    "32768",
    "2147483647",
    "-1",
    "3.0",
];

/// Names and reasons: short, in another normal form, and as long as they may be.
fn names() -> impl Strategy<Value = String> {
    let long = "x".repeat(100);
    let marked = "e\u{301}".repeat(100);
    let reason = "y ".repeat(250);
    texts([
        "football",
        "  将棋 ",
        "cafe\u{301}",
        "\u{212b}\u{37e}",
        "a\tb",
        &long,
        &marked,
        &reason,
    ])
}

proptest! {
    #[test]
    fn event_payloads_survive_any_bytes(
        event_type in strategies::event_types(),
        text in texts(payloads()),
    ) {
        if let Ok(event) = payload::decode(&event_type, &text) {
            prop_assert_eq!(event.event_type(), &event_type);
            let written = payload::encode(&event);
            prop_assert_eq!(payload::decode(&event_type, &written).ok(), Some(event));
        }
    }

    #[test]
    fn snapshots_survive_any_bytes(schema in select(vec![snapshot::SCHEMA, 0, 2]), text in texts(SNAPSHOTS)) {
        match snapshot::decode(schema, &text) {
            Ok(circle) => {
                prop_assert_eq!(schema, snapshot::SCHEMA);
                let written = snapshot::encode(&circle);
                prop_assert_eq!(snapshot::decode(schema, &written).ok(), Some(circle));
            }
            Err(refused) => prop_assert!(!refused.to_string().is_empty()),
        }
    }

    #[test]
    fn metadata_fields_survive_any_bytes(text in texts(METADATA)) {
        if let Ok(metadata) = serde_json::from_str::<Metadata>(&text) {
            let written = serde_json::to_string(&metadata).unwrap();
            prop_assert_eq!(serde_json::from_str::<Metadata>(&written).unwrap(), metadata);
        }
    }

    #[test]
    fn ids_survive_any_bytes(text in texts(IDS)) {
        let (circle, event) = (CircleId::parse(&text), EventId::parse(&text));
        prop_assert_eq!(circle.is_ok(), event.is_ok());
        if let Ok(id) = circle {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn names_and_reasons_survive_any_bytes(text in names()) {
        let is_sound = |text: &str, most: usize| {
            (1..=most).contains(&text.chars().count())
                && text.trim() == text
                && !text.chars().any(char::is_control)
        };
        if let Ok(name) = CircleName::new(&text) {
            prop_assert!(is_sound(name.as_str(), CircleName::MAX_CHARACTERS));
            // Of one that is not its own normal form another one would come.
            prop_assert_eq!(CircleName::new(name.as_str()), Ok(name.clone()));
            let prefix = NamePrefix::new(name.as_str()).unwrap();
            prop_assert_eq!(prefix.as_str(), name.as_str());
        }
        if let Ok(reason) = DeletionReason::new(&text) {
            prop_assert!(is_sound(reason.as_str(), DeletionReason::MAX_CHARACTERS));
            prop_assert_eq!(DeletionReason::new(reason.as_str()), Ok(reason));
        }
        if let Ok(prefix) = NamePrefix::new(&text) {
            prop_assert!(prefix.as_str().chars().count() <= CircleName::MAX_CHARACTERS);
            prop_assert_eq!(NamePrefix::new(prefix.as_str()), Ok(prefix));
        }
    }

    #[test]
    fn numbers_survive_any_bytes(text in texts(NUMBERS)) {
        if let Ok(capacity) = serde_json::from_str::<Capacity>(&text) {
            prop_assert!((Capacity::MIN..=Capacity::MAX).contains(&capacity));
            prop_assert_eq!(text.trim_matches([' ', '\n', '\r', '\t']), capacity.to_string());
        }
        if let Ok(version) = serde_json::from_str::<Version>(&text) {
            prop_assert!(version >= Version::FIRST);
            prop_assert_eq!(version.next().is_none(), version.get() == i32::MAX);
        }
        if let Ok(sequence) = serde_json::from_str::<Sequence>(&text) {
            prop_assert!(sequence.next() >= sequence);
        }
    }
}
