//! One circle as the read model shows it.

use serde::{Deserialize, Serialize};
use shared_domain::{Capacity, CircleId, CircleName, Version};

use crate::error::Corruption;

/// One circle as the read model shows it; the value of the key `circle:{id}`.
// The fields are written in this order, which is part of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The circle.
    pub id: CircleId,
    /// Its name.
    pub name: CircleName,
    /// How many members it can take.
    pub capacity: Capacity,
    /// The version of its last event that is in the read model.
    pub version: Version,
}

impl Document {
    pub(crate) fn encode(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are always JSON")
    }

    /// Reads what is stored for the circle `id`.
    pub(crate) fn decode(id: CircleId, stored: &[u8]) -> Result<Self, Corruption> {
        let document: Self = serde_json::from_slice(stored)
            .map_err(|error| Corruption::Unreadable(error.to_string()))?;
        if document.id != id {
            return Err(Corruption::OtherCircle { id: document.id });
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890000-0000-7000-8000-000000000001";
    const OTHER: &str = "01890000-0000-7000-8000-000000000002";

    fn stored() -> String {
        format!(r#"{{"id":"{ID}","name":"将棋 \"A\"","capacity":20,"version":3}}"#)
    }

    #[test]
    fn the_text_is_exactly_that_of_the_contract() {
        let document = Document {
            id: CircleId::parse(ID).unwrap(),
            name: CircleName::new("将棋 \"A\"").unwrap(),
            capacity: Capacity::new(20).unwrap(),
            version: Version::new(3).unwrap(),
        };
        assert_eq!(document.encode(), stored());
        assert_eq!(
            Document::decode(document.id, stored().as_bytes()),
            Ok(document)
        );
    }

    #[test]
    fn what_cannot_be_a_document_is_corrupt() {
        let id = CircleId::parse(ID).unwrap();
        let damaged = [
            String::new(),
            "\u{fffd}".to_owned(),
            stored().replace("20", "2"),
            stored().replace("3}", "0}"),
            stored().replace("3}", "3,\"more\":1}"),
            stored().replace(ID, OTHER),
        ];
        for text in damaged {
            let read = Document::decode(id, text.as_bytes());
            assert!(read.is_err(), "{text} was read as {read:?}");
        }
    }
}
