//! A small log, and the read models of it, written down by hand.

use crate::judge::fold::Fold;
use crate::judge::log::Event;
use crate::judge::{Difference, Holder as _, Options, compare};
use crate::redis::{Engine, RedisDatabase};

pub(super) const A: &str = "01890000-0000-7000-8000-00000000000a";
pub(super) const B: &str = "01890000-0000-7000-8000-00000000000b";
pub(super) const C: &str = "01890000-0000-7000-8000-00000000000c";
pub(super) const ALL: [&str; 3] = [A, B, C];

/// `a` and `c` are there, `b` is deleted; the clock went back before event 3.
#[rustfmt::skip]
pub(super) fn events() -> Vec<Event> {
    vec![
        event(1, A, 1, "CircleCreated", r#"{"type": "circle_created", "name": "chess", "capacity": 20}"#, "{}", "06.000007"),
        event(2, B, 1, "CircleCreated", r#"{"type": "circle_created", "name": "\"go\" 囲碁", "capacity": 3}"#, "{}", "06.000008"),
        event(3, A, 2, "CircleUpdated", r#"{"type": "circle_updated", "capacity": 30}"#, r#"{"actor": "anna"}"#, "05.000000"),
        event(4, B, 2, "CircleDeleted", r#"{"type": "circle_deleted", "reason": "too few"}"#, "{}", "07.000000"),
        event(5, C, 1, "CircleCreated", r#"{"type": "circle_created", "name": "chess", "capacity": 100}"#, "{}", "08.000000"),
        event(6, C, 2, "CircleUpdated", r#"{"type": "circle_updated", "name": "chess club"}"#, "{}", "08.000000"),
    ]
}

fn event(
    sequence: u64,
    circle_id: &str,
    version: i32,
    event_type: &str,
    payload: &str,
    metadata: &str,
    seconds: &str,
) -> Event {
    Event {
        sequence,
        id: format!("01890000-0000-7000-9000-00000000000{sequence}"),
        circle_id: circle_id.to_owned(),
        version,
        event_type: event_type.to_owned(),
        payload: payload.to_owned(),
        metadata: metadata.to_owned(),
        occurred_at: format!("2026-11-23T04:05:{seconds}Z"),
    }
}

pub(super) const A_KEY: &str = "circle:01890000-0000-7000-8000-00000000000a";
pub(super) const A_HISTORY: &str = "circle:01890000-0000-7000-8000-00000000000a:history";
pub(super) const A_DOCUMENT: &str =
    r#"{"id":"01890000-0000-7000-8000-00000000000a","name":"chess","capacity":30,"version":2}"#;
pub(super) const A_FIRST_DOCUMENT: &str =
    r#"{"id":"01890000-0000-7000-8000-00000000000a","name":"chess","capacity":20,"version":1}"#;
pub(super) const A_BY_NAME: &str = "chess\x0001890000-0000-7000-8000-00000000000a000300000000002";
pub(super) const A_BY_CAPACITY: &str =
    "00030chess\x0001890000-0000-7000-8000-00000000000a0000000002";
pub(super) const CHANGES: &str = "circles:changes";

/// An entry of the stream of changes.
pub(super) fn add<'a>(id: &'a str, values: [&'a str; 5]) -> Vec<&'a str> {
    let [kind, circle_id, version, event_id, document] = values;
    vec![
        "XADD",
        CHANGES,
        id,
        "type",
        kind,
        "circle_id",
        circle_id,
        "version",
        version,
        "event_id",
        event_id,
        "document",
        document,
    ]
}

/// A command, its key in the second place, and the circle that it is about; none for what every
/// partition has.
type Line = (Option<&'static str>, &'static [&'static str]);

/// The read models of [`events`].
#[rustfmt::skip]
const WORLD: &[Line] = &[
    (None, &["SET", "circles:layout", "2"]),
    (None, &["SET", "circles:checkpoint", r#"{"sequence":6,"event_id":"01890000-0000-7000-9000-000000000006"}"#]),

    (Some(A), &["SET", "circle:01890000-0000-7000-8000-00000000000a", r#"{"id":"01890000-0000-7000-8000-00000000000a","name":"chess","capacity":30,"version":2}"#]),
    (Some(A), &["RPUSH", "circle:01890000-0000-7000-8000-00000000000a:history",
        r#"{"version":1,"type":"circle_created","name":"chess","capacity":20,"occurred_at":"2026-11-23T04:05:06.000007Z","sequence":1}"#,
        r#"{"version":2,"type":"circle_updated","name":"chess","capacity":30,"before":{"capacity":20},"occurred_at":"2026-11-23T04:05:05.000000Z","effective_at":"2026-11-23T04:05:06.000007Z","actor":"anna","sequence":3}"#,
    ]),
    (Some(A), &["ZADD", "circles:by_name", "0", "chess\x0001890000-0000-7000-8000-00000000000a000300000000002"]),
    (Some(A), &["ZADD", "circles:by_capacity", "0", "00030chess\x0001890000-0000-7000-8000-00000000000a0000000002"]),
    (Some(A), &["ZADD", "circles:by_create_time", "1", "00030chess\x0001890000-0000-7000-8000-00000000000a0000000002"]),

    (Some(B), &["RPUSH", "circle:01890000-0000-7000-8000-00000000000b:history",
        r#"{"version":1,"type":"circle_created","name":"\"go\" 囲碁","capacity":3,"occurred_at":"2026-11-23T04:05:06.000008Z","sequence":2}"#,
        r#"{"version":2,"type":"circle_deleted","before":{"name":"\"go\" 囲碁","capacity":3},"occurred_at":"2026-11-23T04:05:07.000000Z","sequence":4,"reason":"too few"}"#,
    ]),

    (Some(C), &["SET", "circle:01890000-0000-7000-8000-00000000000c", r#"{"id":"01890000-0000-7000-8000-00000000000c","name":"chess club","capacity":100,"version":2}"#]),
    (Some(C), &["RPUSH", "circle:01890000-0000-7000-8000-00000000000c:history",
        r#"{"version":1,"type":"circle_created","name":"chess","capacity":100,"occurred_at":"2026-11-23T04:05:08.000000Z","sequence":5}"#,
        r#"{"version":2,"type":"circle_updated","name":"chess club","capacity":100,"before":{"name":"chess"},"occurred_at":"2026-11-23T04:05:08.000000Z","sequence":6}"#,
    ]),
    (Some(C), &["ZADD", "circles:by_name", "0", "chess club\x0001890000-0000-7000-8000-00000000000c001000000000002"]),
    (Some(C), &["ZADD", "circles:by_capacity", "0", "00100chess club\x0001890000-0000-7000-8000-00000000000c0000000002"]),
    (Some(C), &["ZADD", "circles:by_create_time", "5", "00100chess club\x0001890000-0000-7000-8000-00000000000c0000000002"]),

    (Some(A), &["XADD", "circles:changes", "1-0", "type", "circle_created", "circle_id", A, "version", "1", "event_id", "01890000-0000-7000-9000-000000000001",
        "document", r#"{"id":"01890000-0000-7000-8000-00000000000a","name":"chess","capacity":20,"version":1}"#]),
    (Some(B), &["XADD", "circles:changes", "2-0", "type", "circle_created", "circle_id", B, "version", "1", "event_id", "01890000-0000-7000-9000-000000000002",
        "document", r#"{"id":"01890000-0000-7000-8000-00000000000b","name":"\"go\" 囲碁","capacity":3,"version":1}"#]),
    (Some(A), &["XADD", "circles:changes", "3-0", "type", "circle_updated", "circle_id", A, "version", "2", "event_id", "01890000-0000-7000-9000-000000000003",
        "document", r#"{"id":"01890000-0000-7000-8000-00000000000a","name":"chess","capacity":30,"version":2}"#]),
    (Some(B), &["XADD", "circles:changes", "4-0", "type", "circle_deleted", "circle_id", B, "version", "2", "event_id", "01890000-0000-7000-9000-000000000004",
        "document", ""]),
    (Some(C), &["XADD", "circles:changes", "5-0", "type", "circle_created", "circle_id", C, "version", "1", "event_id", "01890000-0000-7000-9000-000000000005",
        "document", r#"{"id":"01890000-0000-7000-8000-00000000000c","name":"chess","capacity":100,"version":1}"#]),
    (Some(C), &["XADD", "circles:changes", "6-0", "type", "circle_updated", "circle_id", C, "version", "2", "event_id", "01890000-0000-7000-9000-000000000006",
        "document", r#"{"id":"01890000-0000-7000-8000-00000000000c","name":"chess club","capacity":100,"version":2}"#]),
];

/// One place for the read models, written anew for each fault.
pub(super) struct Bench {
    pub(super) redis: RedisDatabase,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            redis: RedisDatabase::fresh(Engine::Redis),
        }
    }

    /// Writes the whole world with the plain keys.
    pub(super) fn write_plain(&self) {
        self.redis.command(&["FLUSHDB"]);
        self.write("", &ALL);
    }

    /// Writes what a partition with these circles has.
    pub(super) fn write(&self, prefix: &str, circles: &[&str]) {
        for (circle, words) in WORLD {
            if circle.is_none_or(|circle| circles.contains(&circle)) {
                let mut words = words.to_vec();
                let key = format!("{prefix}{}", words[1]);
                words[1] = &key;
                self.run(&words);
            }
        }
    }

    /// Empties the database and writes two partitions.
    pub(super) fn write_two_partitions(&self) {
        self.redis.command(&["FLUSHDB"]);
        self.write("{0}:", &[B]);
        self.write("{1}:", &[A, C]);
    }

    pub(super) fn run(&self, words: &[&str]) {
        assert!(!self.redis.command(words).is_empty(), "{words:?}");
    }

    /// Writes the first change again, otherwise, before the others.
    pub(super) fn replace_first_change(&self, words: &[&str]) {
        self.run(&["DEL", "circles:changes"]);
        self.run(words);
        for (_, words) in WORLD.iter().filter(|(_, words)| words[0] == "XADD").skip(1) {
            self.run(words);
        }
    }

    pub(super) fn differences(&self, options: &Options) -> Vec<Difference> {
        self.compared(&Fold::of(events(), options), options)
    }

    pub(super) fn compared(&self, fold: &Fold, options: &Options) -> Vec<Difference> {
        compare::compare(fold, &self.redis.world(), options)
    }

    /// Whatever else is wrong, this key is not.
    pub(super) fn assert_not_about(&self, options: &Options, key: &str) {
        let differences = self.differences(options);
        assert!(!differences.iter().any(|difference| difference.key == key));
    }

    pub(super) fn assert_right(&self, options: &Options, why: &str) {
        assert_eq!(self.differences(options), [], "{why}");
    }

    /// The judge finds something wrong with this key, and with no other one.
    pub(super) fn assert_wrong(&self, options: &Options, key: &str, why: &str) {
        let differences = self.differences(options);
        assert!(!differences.is_empty(), "not found: {why}");
        for difference in differences {
            assert_eq!(difference.key, key, "{why}: {}", difference.what);
        }
    }
}
