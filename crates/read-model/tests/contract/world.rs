//! What the read model should hold, kept beside it.

use std::collections::BTreeMap;

use read_model::{Batch, Change, Checkpoint, Document, ListQuery, Order};
use shared_domain::{Capacity, CircleId, CircleName, EventId, Sequence, Version};
use uuid::Uuid;

/// A few names that are hard to order and to cut: repeated, beginning with
/// each other, of one to four bytes per character.
pub(crate) const NAMES: [&str; 16] = [
    "a",
    "a b",
    "ab",
    "abc",
    "b",
    "chess \"A\"",
    "chess",
    "Zoo",
    "z",
    "é",
    "ÿ",
    "Ā",
    "将棋",
    "将棋部",
    "😀",
    "\u{10ffff}",
];

/// Circles by id, with the sequence of their creation.
pub(crate) struct World {
    pub(crate) circles: BTreeMap<CircleId, (Document, Sequence)>,
    pub(crate) checkpoint: Checkpoint,
    changes: Vec<Change>,
    made: u128,
}

impl World {
    pub(crate) fn empty() -> Self {
        Self {
            circles: BTreeMap::new(),
            checkpoint: Checkpoint::EMPTY,
            changes: Vec::new(),
            made: 0,
        }
    }

    fn next_event(&mut self) -> Sequence {
        let sequence = self.checkpoint.sequence.next();
        let id = EventId::from_uuid(Uuid::from_u128(sequence.get().into()));
        self.checkpoint = Checkpoint::at(sequence, id);
        sequence
    }

    pub(crate) fn create(&mut self, name: &str, capacity: i64) -> CircleId {
        self.made += 1;
        // Ids that do not follow the order of creation.
        let id = CircleId::from_uuid(Uuid::from_u128(self.made.wrapping_mul(u128::MAX / 7)));
        let document = Document {
            id,
            name: CircleName::new(name).unwrap(),
            capacity: Capacity::new(capacity).unwrap(),
            version: Version::FIRST,
        };
        let created = self.next_event();
        self.circles.insert(id, (document.clone(), created));
        self.changes.push(Change::Create { document, created });
        id
    }

    pub(crate) fn update(&mut self, id: CircleId, name: Option<&str>, capacity: Option<i64>) {
        self.next_event();
        let (document, _) = self.circles.get_mut(&id).unwrap();
        let before = document.clone();
        if let Some(name) = name {
            document.name = CircleName::new(name).unwrap();
        }
        if let Some(capacity) = capacity {
            document.capacity = Capacity::new(capacity).unwrap();
        }
        document.version = document.version.next().unwrap();
        let after = document.clone();
        self.changes.push(Change::Update { before, after });
    }

    pub(crate) fn delete(&mut self, id: CircleId) {
        self.next_event();
        let (before, _) = self.circles.remove(&id).unwrap();
        self.changes.push(Change::Delete { before });
    }

    /// All changes since the last time, of which each circle has at most one.
    pub(crate) fn batch(&mut self) -> Batch {
        let mut batch = Batch::new(self.checkpoint);
        let changes = std::mem::take(&mut self.changes);
        let count = changes.len();
        batch.extend(changes);
        assert_eq!(batch.changes().len(), count, "two changes of one circle");
        batch
    }

    pub(crate) fn document(&self, id: CircleId) -> Option<Document> {
        self.circles.get(&id).map(|(document, _)| document.clone())
    }

    /// The whole list that the query asks for, whatever its limit.
    pub(crate) fn list(&self, query: &ListQuery) -> Vec<Document> {
        let mut listed: Vec<_> = self
            .circles
            .values()
            .filter(|(document, _)| {
                let capacity = i32::from(document.capacity.get());
                document.name.as_str().starts_with(&query.name_prefix)
                    && query.min_capacity.is_none_or(|min| capacity >= min)
                    && query.max_capacity.is_none_or(|max| capacity <= max)
            })
            .cloned()
            .collect();
        listed.sort_by_key(|circle| place(query.order, circle));
        if query.descending {
            listed.reverse();
        }
        listed.into_iter().map(|(document, _)| document).collect()
    }
}

/// What a circle is ordered by.
pub(crate) fn place(
    order: Order,
    (document, created): &(Document, Sequence),
) -> (i64, String, Option<CircleId>) {
    let name = document.name.as_str().to_owned();
    match order {
        Order::Name => (0, name, Some(document.id)),
        Order::Capacity => (document.capacity.into(), name, Some(document.id)),
        Order::CreateTime => (created.get().try_into().unwrap(), String::new(), None),
    }
}

pub(crate) const ORDERS: [Order; 3] = [Order::Name, Order::Capacity, Order::CreateTime];

/// The six lists of all circles.
pub(crate) fn every_list(limit: u32) -> impl Iterator<Item = ListQuery> {
    ORDERS.into_iter().flat_map(move |order| {
        let query = ListQuery::new(order, limit);
        [query.clone(), query.descending()]
    })
}
