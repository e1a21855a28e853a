//! A log as it could be after some time: circles are created all along, and changed at random in between.
//!
//! It is the same for the same numbers, so whoever needs it makes it, and nobody has to keep it.

use std::fmt::Write as _;

use fastrand::Rng;
use uuid::{Builder, Uuid};

use crate::circles::NAMES;
use crate::log_rows::Row;

/// Who made all these changes.
const ACTOR: &str = "load-test";
const METADATA: &str = r#"{"actor":"load-test"}"#;

/// The events one by one, from the first.
#[derive(Debug)]
pub(crate) struct MadeUpLog {
    random: Rng,
    events: u64,
    circles: u64,
    sequence: u64,
    list: Vec<Circle>,
}

/// A circle after some event.
#[derive(Clone, Debug)]
pub(crate) struct Circle {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) capacity: i16,
    pub(crate) version: i32,
    /// The sequence of its creation.
    pub(crate) created: u64,
}

/// An event of it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) sequence: u64,
    id: Uuid,
    /// Microseconds since [`MIDNIGHT`].
    microseconds: u64,
    pub(crate) change: Change,
    /// The circle after it.
    pub(crate) circle: Circle,
}

/// What happened, with the value before where there was one.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Created,
    Renamed { before: String },
    Resized { before: i16 },
}

/// The first of January 2026 in milliseconds. All happens on that day.
const MIDNIGHT: u64 = 1_767_225_600_000;
const DAY: u64 = 24 * 3_600 * 1_000_000;

impl MadeUpLog {
    /// So many events of so many circles; no more circles than events.
    pub(crate) fn new(events: u64, circles: u64) -> Self {
        Self {
            random: Rng::with_seed(7),
            events,
            circles: circles.min(events),
            sequence: 0,
            list: Vec::new(),
        }
    }

    /// The circles as they are after the events so far.
    pub(crate) fn circles(&self) -> &[Circle] {
        &self.list
    }

    fn uuid(&mut self, microseconds: u64) -> Uuid {
        let mut bytes = [0; 10];
        self.random.fill(&mut bytes);
        let milliseconds = MIDNIGHT + microseconds / 1_000;
        Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid()
    }

    fn name(&mut self) -> String {
        let name = self.random.choice(NAMES).unwrap_or_default();
        format!("{name} {:07}", self.random.u32(..10_000_000))
    }

    fn create(&mut self, microseconds: u64) -> (Change, Circle) {
        let circle = Circle {
            id: self.uuid(microseconds),
            name: self.name(),
            capacity: self.random.i16(3..1_000),
            version: 1,
            created: self.sequence,
        };
        self.list.push(circle.clone());
        (Change::Created, circle)
    }

    /// One change in four is a new name.
    fn update(&mut self) -> (Change, Circle) {
        let n = self.random.usize(..self.list.len());
        let rename = self.random.u8(..4) == 0;
        let name = self.name();
        let circle = &mut self.list[n];
        circle.version += 1;
        let change = if rename && circle.name != name {
            let before = std::mem::replace(&mut circle.name, name);
            Change::Renamed { before }
        } else {
            let before = circle.capacity;
            circle.capacity = if before < 999 { before + 1 } else { 3 };
            Change::Resized { before }
        };
        (change, circle.clone())
    }
}

impl Iterator for MadeUpLog {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let left = self.events - self.sequence;
        if left == 0 {
            return None;
        }
        let microseconds = DAY / self.events * self.sequence;
        self.sequence += 1;
        // So that exactly so many are created, evenly, and the first event creates one.
        let missing = self.circles - self.list.len() as u64;
        let (change, circle) = if self.list.is_empty() || self.random.u64(..left) < missing {
            self.create(microseconds)
        } else {
            self.update()
        };
        Some(Event {
            sequence: self.sequence,
            id: self.uuid(microseconds),
            microseconds,
            change,
            circle,
        })
    }
}

impl Event {
    /// As the log keeps it.
    pub(crate) fn row(&self) -> Row {
        let (name, capacity) = (&self.circle.name, self.circle.capacity);
        let (event_type, payload) = match self.change {
            Change::Created => (
                "CircleCreated",
                format!(r#"{{"type":"circle_created","name":"{name}","capacity":{capacity}}}"#),
            ),
            Change::Renamed { .. } => (
                "CircleUpdated",
                format!(r#"{{"type":"circle_updated","name":"{name}"}}"#),
            ),
            Change::Resized { .. } => (
                "CircleUpdated",
                format!(r#"{{"type":"circle_updated","capacity":{capacity}}}"#),
            ),
        };
        Row {
            sequence: self.sequence,
            id: self.id,
            circle_id: self.circle.id,
            version: self.circle.version,
            event_type,
            payload,
            metadata: METADATA,
            occurred_at: format!("2026-01-01 {}", self.time()),
        }
    }

    /// The event's id.
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// How the changes of circles are called in the read models.
    pub(crate) fn kind(&self) -> &'static str {
        match self.change {
            Change::Created => "circle_created",
            Change::Renamed { .. } | Change::Resized { .. } => "circle_updated",
        }
    }

    /// As the history of its circle has it.
    pub(crate) fn history_entry(&self) -> String {
        let Circle {
            name,
            capacity,
            version,
            ..
        } = &self.circle;
        let kind = self.kind();
        let mut entry = format!(
            r#"{{"version":{version},"type":"{kind}","name":"{name}","capacity":{capacity},"#
        );
        // To a String it can't fail.
        let _ = match &self.change {
            Change::Created => Ok(()),
            Change::Renamed { before } => write!(entry, r#""before":{{"name":"{before}"}},"#),
            Change::Resized { before } => write!(entry, r#""before":{{"capacity":{before}}},"#),
        };
        let (time, sequence) = (self.time(), self.sequence);
        let _ = write!(
            entry,
            r#""occurred_at":"2026-01-01T{time}Z","actor":"{ACTOR}","sequence":{sequence}}}"#
        );
        entry
    }

    fn time(&self) -> String {
        let (seconds, fraction) = (self.microseconds / 1_000_000, self.microseconds % 1_000_000);
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        format!("{hours:02}:{minutes:02}:{:02}.{fraction:06}", seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn it_has_so_many_events_of_so_many_circles_without_holes() {
        let mut log = MadeUpLog::new(10_000, 1_000);
        let mut versions = HashMap::<Uuid, i32>::new();
        for (n, event) in log.by_ref().enumerate() {
            assert_eq!(event.sequence, n as u64 + 1);
            let version = versions.entry(event.circle.id).or_default();
            *version += 1;
            assert_eq!(event.circle.version, *version);
            assert_eq!(matches!(event.change, Change::Created), *version == 1);
        }
        assert_eq!(versions.values().sum::<i32>(), 10_000);
        assert_eq!(log.circles().len(), 1_000);
    }

    #[test]
    fn it_is_always_the_same() {
        let rows = || -> Vec<_> {
            let log = MadeUpLog::new(500, 50);
            log.map(|event| format!("{:?}", event.row())).collect()
        };
        assert_eq!(rows(), rows());
    }

    #[test]
    fn every_text_is_json_and_all_happens_within_a_day() {
        for event in MadeUpLog::new(2_000, 100) {
            let entry: serde_json::Value = serde_json::from_str(&event.history_entry()).unwrap();
            assert_eq!(entry["sequence"], event.sequence);
            let row = event.row();
            serde_json::from_str::<serde_json::Value>(&row.payload).unwrap();
            assert!(row.occurred_at.as_str() < "2026-01-01 24:00:00");
        }
    }
}
