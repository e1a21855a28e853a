//! The log as it is in the end, and what each circle was after each of its events.
//!
//! It takes the log as it comes: whether that is sound is for the checks to say.

use std::collections::HashMap;

use serde_json::Value;
use test_support::judge;

use crate::history::{Circle, Kind};

/// All events.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// In their order.
    pub events: Vec<Event>,
    by_id: HashMap<String, usize>,
    by_circle: HashMap<String, Vec<usize>>,
    by_sequence: HashMap<u64, usize>,
}

/// An event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place.
    pub sequence: u64,
    /// The request's id.
    pub id: String,
    /// Its circle.
    pub circle_id: String,
    /// The circle's version after it.
    pub version: i32,
    /// What it does.
    pub kind: Kind,
    /// The name that it gives.
    pub name: Option<String>,
    /// The capacity that it gives.
    pub capacity: Option<i32>,
    /// Why it deletes.
    pub reason: Option<String>,
    /// The circle before it.
    pub before: Option<Circle>,
    /// The circle after it.
    pub after: Option<Circle>,
}

impl Log {
    /// Reads its rows.
    ///
    /// # Errors
    ///
    /// Says which event can't be read.
    pub fn of(rows: Vec<judge::Event>) -> Result<Self, String> {
        let mut log = Self::default();
        for row in rows {
            log.push(row)?;
        }
        Ok(log)
    }

    fn push(&mut self, row: judge::Event) -> Result<(), String> {
        let unreadable = |what: &str| format!("event {}: {what}", row.sequence);
        let payload: Value =
            serde_json::from_str(&row.payload).map_err(|error| unreadable(&error.to_string()))?;
        let kind = match row.event_type.as_str() {
            "CircleCreated" => Kind::Created,
            "CircleUpdated" => Kind::Updated,
            "CircleDeleted" => Kind::Deleted,
            other => return Err(unreadable(other)),
        };
        let text = |field: &str| payload[field].as_str().map(str::to_owned);
        let (name, reason) = (text("name"), text("reason"));
        let capacity = payload["capacity"].as_i64();
        let capacity = capacity.and_then(|capacity| capacity.try_into().ok());

        let before = self
            .latest(&row.circle_id)
            .and_then(|event| event.after.clone());
        let changed = Circle {
            id: row.circle_id.clone(),
            name: name
                .clone()
                .or(before.as_ref().map(|circle| circle.name.clone()))
                .unwrap_or_default(),
            capacity: capacity
                .or(before.as_ref().map(|circle| circle.capacity))
                .unwrap_or_default(),
            version: row.version,
        };
        let place = self.events.len();
        self.by_id.entry(row.id.clone()).or_insert(place);
        self.by_circle
            .entry(row.circle_id.clone())
            .or_default()
            .push(place);
        self.by_sequence.entry(row.sequence).or_insert(place);
        self.events.push(Event {
            sequence: row.sequence,
            id: row.id,
            circle_id: row.circle_id,
            version: row.version,
            kind,
            name,
            capacity,
            reason,
            before,
            after: (kind != Kind::Deleted).then_some(changed),
        });
        Ok(())
    }

    fn latest(&self, circle_id: &str) -> Option<&Event> {
        self.of_circle(circle_id).last()
    }

    /// The sequence of the last event; 0 where there is none.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.events.last().map_or(0, |event| event.sequence)
    }

    /// The event of a request.
    #[must_use]
    pub fn of_request(&self, id: &str) -> Option<&Event> {
        self.by_id.get(id).map(|place| &self.events[*place])
    }

    /// The event at a place.
    #[must_use]
    pub fn at(&self, sequence: u64) -> Option<&Event> {
        let place = self.by_sequence.get(&sequence);
        place.map(|place| &self.events[*place])
    }

    /// The events of a circle, in their order.
    pub fn of_circle(&self, circle_id: &str) -> impl DoubleEndedIterator<Item = &Event> {
        let places = self.by_circle.get(circle_id).into_iter().flatten();
        places.map(|place| &self.events[*place])
    }

    /// Where an event stops being the latest of its circle: the place of the next one.
    #[must_use]
    pub fn successor(&self, event: &Event) -> Option<u64> {
        let places = self.by_circle.get(&event.circle_id)?;
        let count = self.count_up_to(places, event.sequence);
        places.get(count).map(|place| self.events[*place].sequence)
    }

    /// The circle's latest event up to a place.
    #[must_use]
    pub fn latest_at(&self, circle_id: &str, sequence: u64) -> Option<&Event> {
        let places = self.by_circle.get(circle_id)?;
        let last = self.count_up_to(places, sequence).checked_sub(1)?;
        Some(&self.events[places[last]])
    }

    fn count_up_to(&self, places: &[usize], sequence: u64) -> usize {
        places.partition_point(|place| self.events[*place].sequence <= sequence)
    }

    /// Where a circle was created; the end where it never was.
    #[must_use]
    pub fn creation(&self, circle_id: &str) -> u64 {
        let first = self.of_circle(circle_id).next();
        first.map_or(u64::MAX, |event| event.sequence)
    }
}
