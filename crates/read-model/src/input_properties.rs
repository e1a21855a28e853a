//! What Redis holds is read or called corrupt, whatever it is.

use std::time::SystemTime;

use fuzz_support::{bytes, texts};
use proptest::prelude::*;
use proptest::sample::select;
use shared_domain::{CircleId, Sequence};

use crate::change::{ChangeEntry, ChangePosition};
use crate::changes::Rewound;
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::document::Document;
use crate::error::{Error, SetupError};
use crate::history::HistoryEntry;
use crate::list::Order;
use crate::parked::ParkedEvent;
use crate::position::Position;
use crate::{answer, as_of, keys};

const ID: &str = "01890000-0000-7000-8000-000000000001";

fn id() -> CircleId {
    CircleId::parse(ID).unwrap()
}

/// Refused is what names its key, and nothing else.
fn is_corrupt<T>(answer: &Result<T, Error>, of: &str) -> bool {
    matches!(answer, Err(Error::Corrupt { key, .. }) if key == of)
}

fn documents() -> impl Strategy<Value = Vec<u8>> {
    bytes([
        format!(r#"{{"id":"{ID}","name":"将棋 \"A\"","capacity":20,"version":3}}"#),
        format!(r#"{{"id":"{ID}","name":"chess","capacity":32767,"version":2147483647}}"#),
    ])
}

const ENTRIES: &[&str] = &[
    r#"{"version":1,"type":"circle_created","name":"将棋","capacity":20,"occurred_at":"2026-11-23T04:05:06.000007Z","sequence":7}"#,
    r#"{"version":2,"type":"circle_updated","name":"将棋","capacity":30,"before":{"capacity":20},"occurred_at":"2026-11-23T04:05:05.000000Z","effective_at":"2026-11-23T04:05:06.000007Z","actor":"anna","sequence":9}"#,
    r#"{"version":3,"type":"circle_deleted","before":{"name":"将棋","capacity":30},"occurred_at":"2026-11-24T23:59:60.000000Z","sequence":11,"reason":"too few"}"#,
];

fn members() -> impl Strategy<Value = Vec<u8>> {
    bytes([
        format!("将棋\0{ID}000200000000007"),
        format!("c\0{ID}327672147483647"),
        format!("00020将棋\0{ID}0000000007"),
        format!("32767c\0{ID}2147483647"),
        "9007199254740991".to_owned(),
    ])
}

proptest! {
    #[test]
    fn documents_survive_any_bytes(stored in documents()) {
        if let Ok(document) = Document::decode(id(), &stored) {
            prop_assert_eq!(document.id, id());
            let written = document.encode();
            prop_assert_eq!(Document::decode(id(), written.as_bytes()), Ok(document));
        }
    }

    #[test]
    fn history_entries_survive_any_bytes(stored in bytes(ENTRIES)) {
        match HistoryEntry::decode("k", &stored) {
            Ok(entry) => {
                prop_assert!(entry.document(id()).is_none_or(|it| it.version == entry.version));
                // What is finer than a microsecond is gone once it is written.
                let written = entry.encode();
                let again = HistoryEntry::decode("k", written.as_bytes()).map(|it| it.encode());
                prop_assert_eq!(again, Ok(written));
            }
            refused => prop_assert!(is_corrupt(&refused, "k")),
        }
    }

    #[test]
    fn changes_survive_any_bytes(
        place in bytes(["7-0", "7-3", "18446744073709551615-18446744073709551615"]),
        kind in bytes(["circle_created", "circle_updated", "circle_deleted", "corrected"]),
        circle_id in bytes([ID]),
        version in bytes(["", "1", "2147483647"]),
        event_id in bytes(["", ID]),
        document in prop_oneof![Just(Vec::new()), documents()],
    ) {
        let fields = [&kind, &circle_id, &version, &event_id, &document];
        if let Some(entry) = ChangeEntry::decode(&place, fields.map(Vec::as_slice)) {
            let written = entry.fields();
            let written = written.each_ref().map(String::as_bytes);
            let place = entry.position.to_string();
            prop_assert_eq!(ChangeEntry::decode(place.as_bytes(), written), Some(entry));
        }
    }

    #[test]
    fn places_of_changes_survive_any_bytes(text in bytes(["7-0", "0-18446744073709551615", "7"])) {
        if let Some(place) = ChangePosition::parse(&text) {
            prop_assert_eq!(ChangePosition::parse(place.to_string().as_bytes()), Some(place));
        }
    }

    #[test]
    fn checkpoints_survive_any_bytes(
        stored in bytes([
            format!(r#"{{"sequence":7,"event_id":"{ID}"}}"#),
            r#"{"sequence":0,"event_id":null}"#.to_owned(),
        ]),
    ) {
        match Checkpoint::decode("k", &stored) {
            Ok(checkpoint) => {
                prop_assert_eq!(checkpoint.sequence == Sequence::ZERO, checkpoint.event_id.is_none());
                prop_assert_eq!(Checkpoint::decode("k", checkpoint.encode().as_bytes()), Ok(checkpoint));
            }
            refused => prop_assert!(is_corrupt(&refused, "k")),
        }
    }

    #[test]
    fn members_of_indexes_survive_any_bytes(member in members()) {
        // A circle is told only as its member is spelled.
        if let Some(document) = keys::of_by_name(&member) {
            prop_assert_eq!(keys::of_by_name(keys::by_name_member(&document).as_bytes()), Some(document));
        }
        if let Some(document) = keys::of_by_capacity(&member) {
            prop_assert_eq!(keys::of_by_capacity(keys::by_capacity_member(&document).as_bytes()), Some(document));
        }
    }

    #[test]
    fn positions_survive_any_bytes(
        order in select(vec![Order::Name, Order::Capacity, Order::CreateTime]),
        member in members(),
        given in bytes([format!("nchess\0{ID}"), format!("c00020\0将棋\0{ID}"), "t7".to_owned()]),
    ) {
        if let Some(position) = Position::of_entry(order, &member) {
            prop_assert_eq!(position.order(), order);
            prop_assert_eq!(Position::from_bytes(&position.to_bytes()), Ok(position));
        }
        if let Ok(position) = Position::from_bytes(&given) {
            // One place has one spelling.
            prop_assert_eq!(position.to_bytes(), given);
            let _ = position.sort_key();
        }
    }

    #[test]
    fn parked_events_survive_any_bytes(
        stored in bytes([r#"{"sequence":7,"version":2,"reason":"the payload is malformed"}"#]),
    ) {
        match ParkedEvent::decode("k", &stored) {
            Ok(parked) => {
                let written = parked.encode();
                prop_assert_eq!(ParkedEvent::decode("k", written.as_bytes()), Ok(parked));
            }
            refused => prop_assert!(is_corrupt(&refused, "k")),
        }
    }

    #[test]
    fn ages_survive_any_bytes(text in bytes(["0", "1764000000123", "18446744073709551615"])) {
        if let Some(moment) = as_of::read(&text) {
            prop_assert!(moment >= SystemTime::UNIX_EPOCH);
            prop_assert_eq!(as_of::read(as_of::write(moment).as_bytes()), Some(moment));
        }
    }

    #[test]
    fn numbers_of_answers_survive_any_bytes(
        text in bytes(["0", "7", "18446744073709551615"]),
        items in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        match answer::number("k", &text) {
            Ok(number) => prop_assert_eq!(answer::number("k", number.to_string().as_bytes()), Ok(number)),
            refused => prop_assert!(is_corrupt(&refused, "k")),
        }
        let numbers = [Some(text.into()), None];
        prop_assert!(answer::numbered(&numbers, &items).count() <= 1);
        let _ = answer::kind(&numbers);
    }

    #[test]
    fn tales_of_lost_events_survive_any_bytes(
        stored in bytes([r#"{"common":4,"until":9,"times":2}"#, r#"{"common":4,"until":9}"#]),
        reached in any::<u64>(),
    ) {
        if let Ok(rewound) = serde_json::from_slice::<Rewound>(&stored) {
            let reached = Sequence::new(reached);
            prop_assert!(rewound.lead_back(reached).is_none_or(|back| back < reached));
        }
    }

    #[test]
    fn urls_survive_any_bytes(
        url in texts([
            "redis://user:Tr0ub4dor@localhost:6379/3",
            "valkey://:Tr0ub4dor@[::1]/0",
            "redis-cluster://user:Tr0ub4dor@a.example:7000?node=b.example:7001",
            "redis-cluster://a.example:7000?node=user:Tr0ub4dor@b.example:7001",
        ]),
    ) {
        match Config::new(url).server() {
            Ok(_) => {}
            Err(SetupError::Url { reason }) => prop_assert!(!reason.contains("Tr0ub4dor"), "{}", reason),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
    }
}
