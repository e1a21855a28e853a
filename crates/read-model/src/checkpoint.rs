//! How far the read model has come.

use serde::{Deserialize, Serialize};
use shared_domain::{EventId, Sequence};

use crate::error::{Corruption, Error};
use crate::keys::Keys;

/// The last event of the log that is in the read model; the value of the key
/// `circles:checkpoint`.
// The fields are written in this order, which is part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Its place in the log.
    pub sequence: Sequence,
    /// Its id, by which a projector sees that the log is still the one it
    /// read. None for the empty log only.
    pub event_id: Option<EventId>,
}

impl Checkpoint {
    /// The checkpoint of the empty log.
    pub const EMPTY: Self = Self {
        sequence: Sequence::ZERO,
        event_id: None,
    };

    /// The checkpoint after one event.
    #[must_use]
    pub const fn at(sequence: Sequence, event_id: EventId) -> Self {
        Self {
            sequence,
            event_id: Some(event_id),
        }
    }

    pub(crate) fn encode(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }

    /// Reads what the key `key` holds.
    pub(crate) fn decode(key: &str, stored: &[u8]) -> Result<Self, Error> {
        let checkpoint: Self =
            serde_json::from_slice(stored).map_err(|error| Error::unreadable(key, error))?;
        if (checkpoint.sequence == Sequence::ZERO) != checkpoint.event_id.is_none() {
            return Err(Error::Corrupt {
                key: key.to_owned(),
                corruption: Corruption::EventIdMisplaced,
            });
        }
        Ok(checkpoint)
    }

    /// How far a partition is that has this stored: nowhere while it is not built.
    pub(crate) fn sequence_of(keys: &Keys, stored: Option<&[u8]>) -> Result<Sequence, Error> {
        let stored = stored.ok_or(Error::NotBuilt)?;
        Self::decode(&keys.checkpoint, stored).map(|checkpoint| checkpoint.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_exactly_that_of_the_contract() {
        let id = "01890000-0000-7000-8000-000000000001";
        let checkpoint = Checkpoint::at(Sequence::new(7), EventId::parse(id).unwrap());
        let text = format!(r#"{{"sequence":7,"event_id":"{id}"}}"#);
        assert_eq!(checkpoint.encode(), text);
        assert_eq!(Checkpoint::decode("k", text.as_bytes()), Ok(checkpoint));

        let empty = r#"{"sequence":0,"event_id":null}"#;
        assert_eq!(Checkpoint::EMPTY.encode(), empty);
        assert_eq!(
            Checkpoint::decode("k", empty.as_bytes()),
            Ok(Checkpoint::EMPTY)
        );
    }

    #[test]
    fn an_event_id_is_missing_at_zero_and_only_there() {
        for text in [
            r#"{"sequence":7,"event_id":null}"#,
            r#"{"sequence":0,"event_id":"01890000-0000-7000-8000-000000000001"}"#,
        ] {
            assert!(matches!(
                Checkpoint::decode("k", text.as_bytes()),
                Err(Error::Corrupt {
                    corruption: Corruption::EventIdMisplaced,
                    ..
                })
            ));
        }
    }
}
