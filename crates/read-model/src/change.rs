//! The stream of changes that watches are fed from.

use std::fmt;

use shared_domain::{CircleId, EventId, Sequence, Version};

use crate::document::Document;
use crate::history::EventKind;

/// A place in the stream of changes: right after the event of a sequence, or
/// after the n-th correction that was made when the read model was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangePosition {
    /// The sequence.
    pub sequence: Sequence,
    /// 0 for the event itself, then 1, 2, … for corrections.
    pub correction: u64,
}

impl ChangePosition {
    /// The place right after an event.
    #[must_use]
    pub const fn of(sequence: Sequence) -> Self {
        Self {
            sequence,
            correction: 0,
        }
    }

    /// Reads an entry's id, `{sequence}-{correction}`.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (sequence, correction) = std::str::from_utf8(text).ok()?.split_once('-')?;
        Some(Self {
            sequence: Sequence::new(sequence.parse().ok()?),
            correction: correction.parse().ok()?,
        })
    }
}

impl fmt::Display for ChangePosition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.sequence, self.correction)
    }
}

/// One entry of the stream `circles:changes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeEntry {
    /// Its place.
    pub position: ChangePosition,
    /// What happened; none for a correction.
    pub kind: Option<EventKind>,
    /// The circle.
    pub circle_id: CircleId,
    /// The circle's version after it; none where a correction removes a circle
    /// that never was.
    pub version: Option<Version>,
    /// The event; none for a correction.
    pub event_id: Option<EventId>,
    /// The circle after it; none where that is gone.
    pub document: Option<Document>,
}

/// What `type` says of a correction.
const CORRECTED: &str = "corrected";

impl ChangeEntry {
    /// The values of its fields `type`, `circle_id`, `version`, `event_id` and
    /// `document`, in this order. What is not there is empty.
    pub(crate) fn fields(&self) -> [String; 5] {
        let text = |value: Option<String>| value.unwrap_or_default();
        [
            self.kind.map_or(CORRECTED, EventKind::as_str).to_owned(),
            self.circle_id.to_string(),
            text(self.version.map(|version| version.to_string())),
            text(self.event_id.map(|id| id.to_string())),
            text(self.document.as_ref().map(Document::encode)),
        ]
    }

    /// Reads an entry: its id, then the values of its fields in their order.
    pub(crate) fn decode(id: &[u8], fields: [&[u8]; 5]) -> Option<Self> {
        let [kind, circle_id, version, event_id, document] = fields;
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let circle_id = CircleId::parse(text(circle_id)?).ok()?;
        let kind = match kind {
            b"corrected" => None,
            kind => Some(EventKind::parse(kind)?),
        };
        let version = match version {
            b"" => None,
            version => Some(Version::new(text(version)?.parse().ok()?).ok()?),
        };
        let event_id = match event_id {
            b"" => None,
            id => Some(EventId::parse(text(id)?).ok()?),
        };
        let document = match document {
            b"" => None,
            document => Some(Document::decode(circle_id, document).ok()?),
        };
        Some(Self {
            position: ChangePosition::parse(id)?,
            kind,
            circle_id,
            version,
            event_id,
            document,
        })
    }
}

#[cfg(test)]
mod tests {
    use shared_domain::{Capacity, CircleName};

    use super::*;

    #[test]
    fn entries_survive_their_fields() {
        let id = CircleId::parse("01890000-0000-7000-8000-000000000001").unwrap();
        let document = Document {
            id,
            name: CircleName::new("chess").unwrap(),
            capacity: Capacity::new(20).unwrap(),
            version: Version::FIRST,
        };
        let event = ChangeEntry {
            position: ChangePosition::of(Sequence::new(7)),
            kind: Some(EventKind::CircleCreated),
            circle_id: id,
            version: Some(Version::FIRST),
            event_id: Some(EventId::parse("01890000-0000-7000-8000-000000000002").unwrap()),
            document: Some(document),
        };
        let correction = ChangeEntry {
            position: ChangePosition {
                sequence: Sequence::new(7),
                correction: 3,
            },
            kind: None,
            version: None,
            event_id: None,
            document: None,
            ..event.clone()
        };
        for (entry, stored_id) in [(event, "7-0"), (correction, "7-3")] {
            assert_eq!(entry.position.to_string(), stored_id);
            let fields = entry.fields();
            let fields = std::array::from_fn(|n| fields[n].as_bytes());
            assert_eq!(
                ChangeEntry::decode(stored_id.as_bytes(), fields),
                Some(entry)
            );
        }
    }
}
