//! What holds for all values, histories and inputs.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use shared_domain::{
    Circle, CircleEvent, CircleId, CircleName, Command, DeletionReason, EventId, Metadata, Version,
    decide, evolve, payload, replay, snapshot,
};
use uuid::Uuid;

use crate::strategies;

/// Carries commands out one after the other, as a service would. Gives the
/// last state and all events with the versions that the states promised.
fn carry_out(commands: &[Command]) -> (Circle, Vec<(Version, CircleEvent)>) {
    let mut circle = Circle::Absent;
    let mut events = Vec::new();
    for command in commands {
        if let Ok(Some(event)) = decide(&circle, command) {
            let version = circle.next_version().expect("a short history");
            circle = evolve(circle, &event).expect("decide makes only events that fit");
            events.push((version, event));
        }
    }
    (circle, events)
}

/// Stored events, which pass through their payload, as `replay` takes them.
fn through_payloads(events: &[(Version, CircleEvent)]) -> Vec<(Version, CircleEvent)> {
    let stored = events.iter().map(|(version, event)| {
        let payload = payload::encode(event);
        let event = payload::decode(event.event_type(), &payload)
            .expect("decide makes only events that can be read again");
        (*version, event)
    });
    stored.collect()
}

fn borrowed(events: &[(Version, CircleEvent)]) -> impl Iterator<Item = (Version, &CircleEvent)> {
    events.iter().map(|(version, event)| (*version, event))
}

proptest! {
    #[test]
    fn commands_replay_to_the_state_that_decide_saw(commands in strategies::lives()) {
        let (circle, events) = carry_out(&commands);
        let stored = through_payloads(&events);
        prop_assert_eq!(replay(borrowed(&stored)), Ok(circle));
    }

    #[test]
    fn versions_are_contiguous_from_1(commands in strategies::lives()) {
        let (circle, events) = carry_out(&commands);
        for (index, (version, _)) in (1..).zip(&events) {
            prop_assert_eq!(version.get(), index);
        }
        prop_assert_eq!(circle.version(), events.last().map(|(version, _)| *version));
    }

    #[test]
    fn a_snapshot_anywhere_changes_nothing(
        commands in strategies::lives(),
        cut in any::<Index>(),
    ) {
        let (circle, events) = carry_out(&commands);
        let (before, after) = events.split_at(cut.index(events.len() + 1));
        let at_cut = replay(borrowed(before)).unwrap();
        let kept = snapshot::decode(snapshot::SCHEMA, &snapshot::encode(&at_cut)).unwrap();
        prop_assert_eq!(kept.replay_onto(borrowed(after)), Ok(circle));
    }

    #[test]
    fn a_history_with_an_event_lost_is_never_taken_for_a_whole_one(
        commands in strategies::lives(),
        lost in any::<Index>(),
    ) {
        let (_, mut events) = carry_out(&commands);
        // Without its last event a history is whole, only shorter.
        if events.len() >= 2 {
            events.remove(lost.index(events.len() - 1));
            prop_assert!(replay(borrowed(&events)).is_err());
        }
    }

    #[test]
    fn what_decide_allows_fits_any_state_that_has_a_version_left(
        circle in strategies::circles(),
        command in strategies::commands(),
    ) {
        if let Ok(Some(event)) = decide(&circle, &command) {
            let next = circle.next_version();
            let evolved = evolve(circle, &event).ok();
            prop_assert_eq!(evolved.and_then(|circle| circle.version()), next);
        }
    }

    #[test]
    fn an_update_gives_what_it_asks_for_and_then_has_nothing_to_do(
        circle in strategies::circles(),
        name in proptest::option::of(strategies::names()),
        capacity in proptest::option::of(strategies::capacities()),
    ) {
        let command = Command::Update { name: name.clone(), capacity, expected: None };
        if let Ok(Some(event)) = decide(&circle, &command) {
            let Circle::Active(before) = circle.clone() else {
                return Err(TestCaseError::fail("only an active circle is updated"));
            };
            if circle.next_version().is_none() {
                return Ok(());
            }
            let after = evolve(circle, &event).unwrap();
            prop_assert_eq!(decide(&after, &command), Ok(None));
            let Circle::Active(after) = after else {
                return Err(TestCaseError::fail("an updated circle is active"));
            };
            prop_assert_eq!(after.name, name.unwrap_or(before.name));
            prop_assert_eq!(after.capacity, capacity.unwrap_or(before.capacity));
        }
    }

    #[test]
    fn events_round_trip(event in strategies::events()) {
        let decoded = payload::decode(event.event_type(), &payload::encode(&event)).unwrap();
        prop_assert_eq!(decoded, event);
    }

    #[test]
    fn snapshots_round_trip(circle in strategies::circles()) {
        let decoded = snapshot::decode(snapshot::SCHEMA, &snapshot::encode(&circle)).unwrap();
        prop_assert_eq!(decoded, circle);
    }

    #[test]
    fn any_json_is_read_or_refused(
        event_type in strategies::event_types(),
        json in prop_oneof![strategies::json(), strategies::near_payloads()],
    ) {
        let text = json.to_string();
        if let Ok(event) = payload::decode(&event_type, &text) {
            prop_assert_eq!(event.event_type(), &event_type);
            let again = payload::decode(&event_type, &payload::encode(&event)).unwrap();
            prop_assert_eq!(again, event);
        }
        if let Ok(circle) = snapshot::decode(snapshot::SCHEMA, &text) {
            let again = snapshot::decode(snapshot::SCHEMA, &snapshot::encode(&circle)).unwrap();
            prop_assert_eq!(again, circle);
        }
        // Refused or not: it does not panic.
        drop(serde_json::from_str::<Metadata>(&text));
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        event_type in strategies::event_types(),
        bytes in vec(any::<u8>(), 0..200),
    ) {
        let text = String::from_utf8_lossy(&bytes);
        drop(payload::decode(&event_type, &text));
        drop(snapshot::decode(snapshot::SCHEMA, &text));
    }

    #[test]
    fn a_damaged_payload_is_read_or_refused(
        event in strategies::events(),
        place in any::<Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = payload::encode(&event).into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let damaged = payload::decode(event.event_type(), &String::from_utf8_lossy(&bytes));
        if let Ok(read) = damaged {
            prop_assert_eq!(read.event_type(), event.event_type());
        }
        // Cut off anywhere, it is never taken for whole.
        let cut = String::from_utf8_lossy(&bytes[..place]);
        prop_assert!(payload::decode(event.event_type(), &cut).is_err());
    }

    #[test]
    fn ids_round_trip(number in any::<u128>()) {
        let id = CircleId::from_uuid(Uuid::from_u128(number));
        let text = id.to_string();
        prop_assert_eq!(text.len(), 36);
        prop_assert_eq!(CircleId::parse(&text), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        prop_assert_eq!(serde_json::from_str::<CircleId>(&json).unwrap(), id);
        prop_assert_eq!(EventId::parse(&text).map(|id| *id.as_uuid()), Ok(*id.as_uuid()));
    }

    #[test]
    fn ids_order_as_their_texts_do(one in any::<u128>(), other in any::<u128>()) {
        let (one, other) = (Uuid::from_u128(one), Uuid::from_u128(other));
        let (one, other) = (CircleId::from_uuid(one), CircleId::from_uuid(other));
        prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
    }

    #[test]
    fn a_text_is_an_id_only_as_that_id_shows_itself(
        text in "[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f-]{4}-[0-9a-fg]{12}|\\PC{0,40}",
    ) {
        if let Ok(id) = CircleId::parse(&text) {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn a_name_obeys_its_rules_and_is_its_own_normal_form(text in any::<String>()) {
        if let Ok(name) = CircleName::new(&text) {
            let characters = name.as_str().chars().count();
            prop_assert!((1..=CircleName::MAX_CHARACTERS).contains(&characters));
            prop_assert_eq!(name.as_str().trim(), name.as_str());
            prop_assert!(!name.as_str().chars().any(char::is_control));
            prop_assert_eq!(CircleName::new(name.as_str()), Ok(name));
        }
        if let Ok(reason) = DeletionReason::new(&text) {
            prop_assert_eq!(DeletionReason::new(reason.as_str()), Ok(reason));
        }
    }

    #[test]
    fn marks_and_spaces_in_any_mixture_normalize_once(
        text in "[ e\u{301}\u{323}\u{2000}\u{2001}\u{3000}\u{1100}\u{1161}\u{11a8}\u{37e}\u{212b}]{0,40}",
    ) {
        if let Ok(name) = CircleName::new(&text) {
            prop_assert_eq!(name.as_str().trim(), name.as_str());
            prop_assert_eq!(CircleName::new(name.as_str()), Ok(name));
        }
    }
}
