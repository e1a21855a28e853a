//! What the events of the log come to.

use std::collections::BTreeMap;

use serde_json::Value;

use super::log::Event;
use super::options::Options;

/// Everything that the log says of the present, and of how it came.
#[derive(Debug, Default)]
pub(super) struct Fold {
    pub(super) circles: BTreeMap<String, Circle>,
    /// What each event did, in the order of the log; nothing of parked circles.
    pub(super) changes: Vec<Change>,
    /// The last event's sequence and id.
    pub(super) last: Option<(u64, String)>,
}

#[derive(Debug, Default)]
pub(super) struct Circle {
    /// Its name and capacity, as long as it is there.
    pub(super) state: Option<(String, i64)>,
    pub(super) version: i32,
    /// The sequence of its creation.
    pub(super) created: u64,
    pub(super) history: Vec<String>,
    /// Sequence and version of the event that parked it.
    pub(super) parked: Option<(u64, i32)>,
    /// The latest time up to now.
    latest: String,
}

#[derive(Debug)]
pub(super) struct Change {
    pub(super) sequence: u64,
    pub(super) circle_id: String,
    pub(super) fields: [String; 5],
}

impl Fold {
    pub(super) fn of(events: Vec<Event>, options: &Options) -> Self {
        let mut fold = Self::default();
        for event in events {
            let before = fold.last.as_ref().map_or(0, |(sequence, _)| *sequence);
            let follows = event.sequence == before + 1 || options.holes.contains(&before);
            assert!(follows, "a hole in the log after {before}");
            fold.last = Some((event.sequence, event.id.clone()));

            let circle = fold.circles.entry(event.circle_id.clone()).or_default();
            if options.parked.contains(&event.sequence) && circle.parked.is_none() {
                circle.parked = Some((event.sequence, event.version));
            }
            if circle.parked.is_none() {
                circle.take(&event);
                fold.changes.push(Change {
                    sequence: event.sequence,
                    fields: [
                        in_snake_case(&event.event_type).to_owned(),
                        event.circle_id.clone(),
                        event.version.to_string(),
                        event.id,
                        circle.document(&event.circle_id).unwrap_or_default(),
                    ],
                    circle_id: event.circle_id,
                });
            }
        }
        fold
    }

    /// The present document of a circle, if there is such a circle.
    pub(super) fn document(&self, circle_id: &str) -> Option<String> {
        self.circles.get(circle_id)?.document(circle_id)
    }

    /// The sequence of the last event.
    pub(super) fn head(&self) -> u64 {
        self.last.as_ref().map_or(0, |(sequence, _)| *sequence)
    }
}

impl Circle {
    pub(super) fn document(&self, id: &str) -> Option<String> {
        let (name, capacity) = self.state.as_ref()?;
        let (name, version) = (quoted(name), self.version);
        Some(format!(
            r#"{{"id":"{id}","name":{name},"capacity":{capacity},"version":{version}}}"#
        ))
    }

    fn take(&mut self, event: &Event) {
        let Event {
            sequence,
            circle_id,
            version,
            event_type,
            occurred_at,
            ..
        } = event;
        let next = self.version + 1;
        assert_eq!(*version, next, "a hole in the versions of {circle_id}");
        let payload: Value = serde_json::from_str(&event.payload).expect("a payload is JSON");
        let metadata: Value = serde_json::from_str(&event.metadata).expect("metadata is JSON");
        let name = payload["name"].as_str().map(str::to_owned);
        let capacity = payload["capacity"].as_i64();

        let old = self.state.take();
        self.state = match (event_type.as_str(), &old) {
            ("CircleCreated", None) if *version == 1 => {
                self.created = *sequence;
                Some((name.expect("a name"), capacity.expect("a capacity")))
            }
            ("CircleUpdated", Some((old_name, old_capacity))) => Some((
                name.unwrap_or_else(|| old_name.clone()),
                capacity.unwrap_or(*old_capacity),
            )),
            ("CircleDeleted", Some(_)) => None,
            (other, _) => panic!("event {sequence} is {other}, which can't be there"),
        };
        self.version = *version;

        let mut entry = format!(
            r#""version":{version},"type":"{}""#,
            in_snake_case(event_type)
        );
        if let Some((name, capacity)) = &self.state {
            entry += &format!(r#","name":{},"capacity":{capacity}"#, quoted(name));
        }
        if let Some((name, capacity)) = old {
            let mut before = Vec::new();
            let now = self.state.as_ref();
            if now.is_none_or(|now| now.0 != name) {
                before.push(format!(r#""name":{}"#, quoted(&name)));
            }
            if now.is_none_or(|now| now.1 != capacity) {
                before.push(format!(r#""capacity":{capacity}"#));
            }
            if !before.is_empty() {
                entry += &format!(r#","before":{{{}}}"#, before.join(","));
            }
        }
        entry += &format!(r#","occurred_at":"{occurred_at}""#);
        // Of one length, so that they compare as texts.
        if *occurred_at < self.latest {
            entry += &format!(r#","effective_at":"{}""#, self.latest);
        } else {
            self.latest.clone_from(occurred_at);
        }
        if let Some(actor) = metadata["actor"].as_str() {
            entry += &format!(r#","actor":{}"#, quoted(actor));
        }
        entry += &format!(r#","sequence":{sequence}"#);
        if let Some(reason) = payload["reason"].as_str() {
            entry += &format!(r#","reason":{}"#, quoted(reason));
        }
        self.history.push(format!("{{{entry}}}"));
    }
}

fn in_snake_case(event_type: &str) -> &str {
    match event_type {
        "CircleCreated" => "circle_created",
        "CircleUpdated" => "circle_updated",
        "CircleDeleted" => "circle_deleted",
        other => panic!("an event of type {other}"),
    }
}

pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text has a JSON form")
}
