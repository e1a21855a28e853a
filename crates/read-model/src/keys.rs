//! Names of keys, and the members of the indexes. The crate's documentation
//! describes them; nothing else spells them.

use shared_domain::CircleId;

use crate::document::Document;

pub(crate) const CHECKPOINT: &str = "circles:checkpoint";
pub(crate) const BY_NAME: &str = "circles:by_name";
pub(crate) const BY_CAPACITY: &str = "circles:by_capacity";
pub(crate) const BY_CREATE_TIME: &str = "circles:by_create_time";
pub(crate) const APPLIED: &str = "circles:applied";
pub(crate) const DOCUMENT_PREFIX: &str = "circle:";

/// Ends a field of a member.
pub(crate) const NUL: char = '\0';

pub(crate) fn document(id: CircleId) -> String {
    format!("{DOCUMENT_PREFIX}{id}")
}

pub(crate) fn by_name_member(document: &Document) -> String {
    let Document {
        id, name, capacity, ..
    } = document;
    format!("{name}{NUL}{id}{NUL}{capacity}")
}

pub(crate) fn by_capacity_member(document: &Document) -> String {
    let Document {
        id, name, capacity, ..
    } = document;
    format!("{:05}{NUL}{name}{NUL}{id}", capacity.get())
}

pub(crate) fn by_create_time_member(document: &Document) -> String {
    let Document {
        id, name, capacity, ..
    } = document;
    format!("{name}{NUL}{capacity}{NUL}{id}")
}

#[cfg(test)]
mod tests {
    use shared_domain::{Capacity, CircleName, Version};

    use super::*;

    #[test]
    fn members_are_spelled_as_the_contract_says() {
        let id = "01890000-0000-7000-8000-000000000001";
        let document = Document {
            id: CircleId::parse(id).unwrap(),
            name: CircleName::new("chess").unwrap(),
            capacity: Capacity::new(20).unwrap(),
            version: Version::FIRST,
        };
        assert_eq!(super::document(document.id), format!("circle:{id}"));
        assert_eq!(by_name_member(&document), format!("chess\0{id}\x0020"));
        assert_eq!(by_capacity_member(&document), format!("00020\0chess\0{id}"));
        assert_eq!(
            by_create_time_member(&document),
            format!("chess\x0020\0{id}")
        );
    }
}
