//! Names of keys, and the members of the indexes. The crate's documentation
//! describes them; nothing else spells them.

use shared_domain::{Capacity, CircleId, CircleName, Version};

use crate::document::Document;
use crate::list::Order;

/// Ends the name in a member.
pub(crate) const NUL: char = '\0';

/// How the read models are spread over the slots of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    partitions: u16,
    tagged: bool,
}

impl Layout {
    /// One partition, with the plain keys; not for a cluster, where those lie
    /// in many slots.
    pub const PLAIN: Self = Self {
        partitions: 1,
        tagged: false,
    };

    /// So many partitions, at least one, each with all its keys in one slot.
    #[must_use]
    pub(crate) const fn tagged(partitions: u16) -> Self {
        Self {
            partitions: if partitions == 0 { 1 } else { partitions },
            tagged: true,
        }
    }

    /// How many partitions there are.
    #[must_use]
    pub const fn partitions(self) -> u16 {
        self.partitions
    }

    /// Where a circle belongs: the FNV-1a hash, of 64 bits, of its id's 36
    /// characters, modulo the number of partitions.
    #[must_use]
    pub fn partition_of(self, id: CircleId) -> usize {
        if self.partitions == 1 {
            return 0;
        }
        let hash = id
            .to_string()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        (hash % u64::from(self.partitions)) as usize
    }

    /// The keys of all partitions.
    pub(crate) fn keys(self) -> Vec<Keys> {
        (0..self.partitions)
            .map(|partition| {
                Keys::new(if self.tagged {
                    format!("{{{partition}}}:")
                } else {
                    String::new()
                })
            })
            .collect()
    }
}

/// The keys of one partition.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// What all of them begin with.
    pub(crate) prefix: String,
    pub(crate) documents: String,
    pub(crate) checkpoint: String,
    pub(crate) building: String,
    pub(crate) revision: String,
    pub(crate) by_name: String,
    pub(crate) by_capacity: String,
    pub(crate) by_create_time: String,
    pub(crate) changes: String,
    pub(crate) changes_floor: String,
    pub(crate) rewound: String,
    pub(crate) parked: String,
    pub(crate) parked_count: String,
    pub(crate) holes: String,
    pub(crate) lease: String,
    pub(crate) as_of: String,
    pub(crate) layout: String,
    pub(crate) replaced: String,
}

/// The channel on which changes of checkpoints are announced.
pub(crate) const APPLIED: &str = "circles:applied";

/// What the keys hold, as `circles:layout` tells: a program that keeps them
/// otherwise builds the read models anew.
pub(crate) const LAYOUT: &str = "2";

impl Keys {
    fn new(prefix: String) -> Self {
        let key = |name: &str| format!("{prefix}circles:{name}");
        Self {
            documents: format!("{prefix}circle:"),
            checkpoint: key("checkpoint"),
            building: key("building"),
            revision: key("revision"),
            by_name: key("by_name"),
            by_capacity: key("by_capacity"),
            by_create_time: key("by_create_time"),
            changes: key("changes"),
            changes_floor: key("changes:floor"),
            rewound: key("rewound"),
            parked: key("parked"),
            parked_count: key("parked:count"),
            holes: key("holes"),
            lease: key("lease"),
            as_of: key("as_of"),
            layout: key("layout"),
            replaced: key("replaced"),
            prefix,
        }
    }

    pub(crate) fn document(&self, id: CircleId) -> String {
        format!("{}{id}", self.documents)
    }

    /// The index that has the circles in this order.
    pub(crate) fn index(&self, order: Order) -> &String {
        match order {
            Order::Name => &self.by_name,
            Order::Capacity => &self.by_capacity,
            Order::CreateTime => &self.by_create_time,
        }
    }

    pub(crate) fn history(&self, id: CircleId) -> String {
        format!("{}{id}:history", self.documents)
    }
}

/// How many bytes of a member by name follow the id.
pub(crate) const BY_NAME_END: usize = 15;

/// How many bytes of a member by capacity follow the id.
pub(crate) const BY_CAPACITY_END: usize = 10;

/// `name NUL id capacity version`, the numbers with 5 and 10 digits.
pub(crate) fn by_name_member(document: &Document) -> String {
    let Document {
        id,
        name,
        capacity,
        version,
    } = document;
    format!("{name}{NUL}{id}{:05}{:010}", capacity.get(), version.get())
}

/// `capacity name NUL id version`, the numbers with 5 and 10 digits; the same
/// in the index by capacity and in that by creation.
pub(crate) fn by_capacity_member(document: &Document) -> String {
    let Document {
        id,
        name,
        capacity,
        version,
    } = document;
    format!("{:05}{name}{NUL}{id}{:010}", capacity.get(), version.get())
}

/// The circle of a member of the index by name.
pub(crate) fn of_by_name(member: &[u8]) -> Option<Document> {
    let (place, end) = member.split_last_chunk::<BY_NAME_END>()?;
    let (capacity, version) = end.split_at(5);
    document(place, capacity, version)
}

/// The circle of a member of the index by capacity or by creation.
pub(crate) fn of_by_capacity(member: &[u8]) -> Option<Document> {
    let (place, version) = member.split_last_chunk::<BY_CAPACITY_END>()?;
    let (capacity, place) = place.split_at_checked(5)?;
    document(place, capacity, version)
}

fn document(place: &[u8], capacity: &[u8], version: &[u8]) -> Option<Document> {
    let number = |digits: &[u8]| -> Option<i64> {
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
    };
    let (name, id) = std::str::from_utf8(place).ok()?.split_once(NUL)?;
    Some(Document {
        id: CircleId::parse(id).ok()?,
        name: CircleName::new(name).ok()?,
        capacity: Capacity::new(number(capacity)?).ok()?,
        version: Version::new(number(version)?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890000-0000-7000-8000-000000000001";

    #[test]
    fn members_are_spelled_as_the_contract_says() {
        let document = Document {
            id: CircleId::parse(ID).unwrap(),
            name: CircleName::new("chess").unwrap(),
            capacity: Capacity::new(20).unwrap(),
            version: Version::new(7).unwrap(),
        };
        assert_eq!(
            by_name_member(&document),
            format!("chess\0{ID}000200000000007")
        );
        assert_eq!(
            by_capacity_member(&document),
            format!("00020chess\0{ID}0000000007")
        );
        let (name, capacity) = (by_name_member(&document), by_capacity_member(&document));
        assert_eq!(of_by_name(name.as_bytes()), Some(document.clone()));
        assert_eq!(of_by_capacity(capacity.as_bytes()), Some(document));
    }

    #[test]
    fn other_members_are_not_read() {
        for member in [
            "",
            "00020",
            "chess",
            &format!("\0{ID}000200000000007"),
            &format!("chess\0{ID}000020000000007"),
            &format!("chess\0{ID}+00200000000007"),
            &format!("chess\0{ID}0000000007"),
            &format!("chess {ID}000200000000007"),
        ] {
            assert_eq!(of_by_name(member.as_bytes()), None, "{member}");
        }
        for member in [
            "",
            "00020",
            &format!("00020\0{ID}0000000007"),
            &format!("00002chess\0{ID}0000000007"),
            &format!("+0020chess\0{ID}0000000007"),
            &format!("00020chess\0{ID}0000000000"),
            &format!("00020chess\0{ID}7"),
        ] {
            assert_eq!(of_by_capacity(member.as_bytes()), None, "{member}");
        }
    }

    #[test]
    fn one_partition_has_the_plain_keys_and_many_have_one_slot_each() {
        let id = CircleId::parse(ID).unwrap();
        let keys = Layout::PLAIN.keys();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].document(id), format!("circle:{ID}"));
        assert_eq!(keys[0].history(id), format!("circle:{ID}:history"));
        assert_eq!(keys[0].checkpoint, "circles:checkpoint");

        let keys = Layout::tagged(3).keys();
        assert_eq!(keys.len(), 3);
        assert_eq!(keys[2].document(id), format!("{{2}}:circle:{ID}"));
        assert_eq!(keys[2].checkpoint, "{2}:circles:checkpoint");
    }

    #[test]
    fn circles_spread_evenly_over_partitions() {
        let layout = Layout::tagged(16);
        let mut counts = [0; 16];
        for n in 0..16_000_u128 {
            counts[layout.partition_of(CircleId::from_uuid(uuid::Uuid::from_u128(n)))] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)));
    }
}
