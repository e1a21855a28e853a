//! Circles whose projection has stopped.

use serde::{Deserialize, Serialize};
use shared_domain::{CircleId, Sequence, Version};

use crate::error::Error;

/// A circle with an event that can't be read or applied; its later events wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The circle.
    pub circle_id: CircleId,
    /// The event.
    pub event: ParkedEvent,
}

/// The event that parked a circle; a value of the hash `circles:parked`.
// The fields are written in this order, which is part of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParkedEvent {
    /// Its place in the log.
    pub sequence: Sequence,
    /// The circle's version after it.
    pub version: Version,
    /// Why it can't be taken in.
    pub reason: String,
}

impl ParkedEvent {
    pub(crate) fn encode(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }

    pub(crate) fn decode(key: &str, stored: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(stored).map_err(|error| Error::unreadable(key, error))
    }
}
