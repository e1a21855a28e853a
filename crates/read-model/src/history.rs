//! What happened to one circle, version by version.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shared_domain::{Capacity, CircleId, CircleName, DeletionReason, Sequence, Version};

use crate::document::Document;
use crate::error::Error;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The circle was created.
    CircleCreated,
    /// Its name or capacity changed.
    CircleUpdated,
    /// It was deleted.
    CircleDeleted,
}

impl EventKind {
    /// How it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CircleCreated => "circle_created",
            Self::CircleUpdated => "circle_updated",
            Self::CircleDeleted => "circle_deleted",
        }
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        [
            Self::CircleCreated,
            Self::CircleUpdated,
            Self::CircleDeleted,
        ]
        .into_iter()
        .find(|kind| kind.as_str().as_bytes() == text)
    }
}

/// What one event did to its circle; an element of the list
/// `circle:{id}:history`, where that of version v is the v-th.
// The fields are written in this order, which is part of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryEntry {
    /// The circle's version after it.
    pub version: Version,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The name after it; none once the circle is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<CircleName>,
    /// The capacity after it; none once the circle is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// What had another value before it.
    #[serde(default, skip_serializing_if = "Before::is_empty")]
    pub before: Before,
    /// When, by the clock of the command service.
    #[serde(with = "micros")]
    pub occurred_at: DateTime<Utc>,
    /// Where clocks disagreed, so that it seems to have happened before the
    /// version before it: the latest time up to here. Times by which a circle's
    /// past is looked up never fall from version to version.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "micros_or_none"
    )]
    pub effective_at: Option<DateTime<Utc>>,
    /// Who, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The event's place in the log.
    pub sequence: Sequence,
    /// Why the circle was deleted, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<DeletionReason>,
}

/// The values before an event, of what it changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<CircleName>,
    /// The capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
}

impl Before {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl HistoryEntry {
    /// The latest time up to this version.
    #[must_use]
    pub fn effective_at(&self) -> DateTime<Utc> {
        self.effective_at.unwrap_or(self.occurred_at)
    }

    /// The circle as it was right after this; none where it was deleted.
    #[must_use]
    pub fn document(&self, id: CircleId) -> Option<Document> {
        Some(Document {
            id,
            name: self.name.clone()?,
            capacity: self.capacity?,
            version: self.version,
        })
    }

    pub(crate) fn encode(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }

    /// Reads what the list `key` holds.
    pub(crate) fn decode(key: &str, stored: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(stored).map_err(|error| Error::unreadable(key, error))
    }
}

/// Times to the microsecond, as `2026-11-23T04:05:06.000007Z`: of one length,
/// so that they compare as texts.
mod micros {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        time: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        DateTime::deserialize(deserializer)
    }
}

mod micros_or_none {
    use chrono::{DateTime, Utc};
    use serde::{Deserializer, Serializer};

    use super::micros;

    pub(super) fn serialize<S: Serializer>(
        time: &Option<DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => micros::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        micros::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> HistoryEntry {
        HistoryEntry::decode("k", text.as_bytes()).unwrap()
    }

    #[test]
    fn the_text_is_exactly_that_of_the_contract() {
        for text in [
            r#"{"version":1,"type":"circle_created","name":"将棋","capacity":20,"occurred_at":"2026-11-23T04:05:06.000007Z","sequence":7}"#,
            r#"{"version":2,"type":"circle_updated","name":"将棋","capacity":30,"before":{"capacity":20},"occurred_at":"2026-11-23T04:05:05.000000Z","effective_at":"2026-11-23T04:05:06.000007Z","actor":"anna","sequence":9}"#,
            r#"{"version":3,"type":"circle_deleted","before":{"name":"将棋","capacity":30},"occurred_at":"2026-11-24T00:00:00.000000Z","sequence":11,"reason":"too few"}"#,
        ] {
            assert_eq!(entry(text).encode(), text);
        }
    }

    #[test]
    fn anything_else_is_corrupt() {
        for text in [
            "",
            "{}",
            r#"{"version":0,"type":"circle_created","name":"a","capacity":20,"occurred_at":"2026-11-23T04:05:06.000007Z","sequence":7}"#,
            r#"{"version":1,"type":"circle_painted","occurred_at":"2026-11-23T04:05:06.000007Z","sequence":7}"#,
        ] {
            assert!(matches!(
                HistoryEntry::decode("k", text.as_bytes()),
                Err(Error::Corrupt { .. })
            ));
        }
    }
}
