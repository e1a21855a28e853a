//! Arbitrary values for the property tests.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value};
use shared_domain::{
    ActiveCircle, Capacity, Circle, CircleEvent, CircleName, Command, DeletionReason, Version,
};

/// Any name: often one of a few, so that updates also change nothing.
pub(crate) fn names() -> impl Strategy<Value = CircleName> {
    prop_oneof![
        select(vec!["football", "baseball", "将棋", "cafe\u{301}"]).prop_map(str::to_owned),
        "\\PC{1,120}",
    ]
    .prop_filter_map("a name", |text| CircleName::new(&text).ok())
}

pub(crate) fn capacities() -> impl Strategy<Value = Capacity> {
    prop_oneof![3..6_i64, 3..=i64::from(i16::MAX)]
        .prop_filter_map("a capacity", |members| Capacity::new(members).ok())
}

pub(crate) fn reasons() -> impl Strategy<Value = DeletionReason> {
    "\\PC{1,60}".prop_filter_map("a reason", |text| DeletionReason::new(&text).ok())
}

pub(crate) fn versions() -> impl Strategy<Value = Version> {
    prop_oneof![1..8_i64, 1..=i64::from(i32::MAX)]
        .prop_filter_map("a version", |number| Version::new(number).ok())
}

/// Any event that can be recorded: updates set something.
pub(crate) fn events() -> impl Strategy<Value = CircleEvent> {
    prop_oneof![
        (names(), capacities())
            .prop_map(|(name, capacity)| CircleEvent::CircleCreated { name, capacity }),
        (names(), proptest::option::of(capacities())).prop_map(|(name, capacity)| {
            CircleEvent::CircleUpdated {
                name: Some(name),
                capacity,
            }
        }),
        capacities().prop_map(|capacity| CircleEvent::CircleUpdated {
            name: None,
            capacity: Some(capacity),
        }),
        proptest::option::of(reasons()).prop_map(|reason| CircleEvent::CircleDeleted { reason }),
    ]
}

pub(crate) fn circles() -> impl Strategy<Value = Circle> {
    prop_oneof![
        Just(Circle::Absent),
        (names(), capacities(), versions()).prop_map(|(name, capacity, version)| {
            Circle::Active(ActiveCircle {
                name,
                capacity,
                version,
            })
        }),
        versions().prop_map(|version| Circle::Deleted { version }),
    ]
}

/// Any command. It expects no version, or one near the beginning, which in a
/// short history is often the present one. Deletions are rare, or histories
/// would end early.
pub(crate) fn commands() -> impl Strategy<Value = Command> {
    let expected = || proptest::option::weighted(0.3, versions());
    prop_oneof![
        2 => creations(),
        20 => (
            proptest::option::of(names()),
            proptest::option::of(capacities()),
            expected(),
        )
            .prop_map(|(name, capacity, expected)| Command::Update { name, capacity, expected }),
        1 => (proptest::option::of(reasons()), expected())
            .prop_map(|(reason, expected)| Command::Delete { reason, expected }),
    ]
}

fn creations() -> impl Strategy<Value = Command> {
    (names(), capacities()).prop_map(|(name, capacity)| Command::Create { name, capacity })
}

/// The commands that one circle gets in its life. The first of them may come
/// before its creation.
pub(crate) fn lives() -> impl Strategy<Value = Vec<Command>> {
    let early = proptest::collection::vec(commands(), 0..3);
    let later = proptest::collection::vec(commands(), 0..25);
    (early, creations(), later).prop_map(|(early, creation, later)| {
        early.into_iter().chain([creation]).chain(later).collect()
    })
}

/// The column `event_type`: mostly a known one.
pub(crate) fn event_types() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(vec!["CircleCreated", "CircleUpdated", "CircleDeleted"]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

/// An object that is nearly a payload, or one: every field right, wrong, or
/// not there.
pub(crate) fn near_payloads() -> impl Strategy<Value = Value> {
    fn field(right: impl Strategy<Value = Value>) -> impl Strategy<Value = Option<Value>> {
        prop_oneof![4 => right.prop_map(Some), 4 => Just(None), 1 => json().prop_map(Some)]
    }
    let tags = select(vec!["circle_created", "circle_updated", "circle_deleted"]);
    (
        field(tags.prop_map(Value::from)),
        field((0..3_i64).prop_map(Value::from)),
        field(names().prop_map(|name| Value::from(name.as_str()))),
        field((0..40_i64).prop_map(Value::from)),
        field(reasons().prop_map(|reason| Value::from(reason.as_str()))),
    )
        .prop_map(|(tag, schema, name, capacity, reason)| {
            let fields = [
                ("type", tag),
                ("schema", schema),
                ("name", name),
                ("capacity", capacity),
                ("reason", reason),
            ];
            let present = fields
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?)));
            Value::Object(present.collect())
        })
}

/// Any JSON, often under the keys and with the values that payloads and
/// snapshots have.
pub(crate) fn json() -> impl Strategy<Value = Value> {
    let known_texts = vec![
        "circle_created",
        "circle_updated",
        "circle_deleted",
        "absent",
        "active",
        "deleted",
        "football",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..40_i64).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(known_texts).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 8, |inner| {
        let keys = prop_oneof![
            8 => select(vec!["type", "phase", "schema", "name", "capacity", "reason", "version"])
                .prop_map(str::to_owned),
            1 => any::<String>(),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((keys, inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}
