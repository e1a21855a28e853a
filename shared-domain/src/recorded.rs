//! An event as the log keeps it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{CircleEvent, CircleId, EventId, Sequence, Version};

/// An event with everything that the log knows about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its place in the log of all circles.
    pub sequence: Sequence,
    /// Its id; unique in the log.
    pub id: EventId,
    /// The circle that it happened to.
    pub circle_id: CircleId,
    /// The circle's version after it.
    pub version: Version,
    /// What happened.
    pub event: CircleEvent,
    /// Where it came from.
    pub metadata: Metadata,
    /// When it was recorded, to the microsecond.
    pub occurred_at: DateTime<Utc>,
}

/// Where an event came from. Serialized as a JSON object of what is known.
///
/// Nothing is decided by it, so fields of a newer writer are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The W3C trace context of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Who made the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The id that the client gave to its request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<EventId>,
}
