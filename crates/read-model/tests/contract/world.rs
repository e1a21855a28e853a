//! What the read model should hold, kept beside it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use read_model::{
    Batch, Before, Change, ChangeEntry, ChangePosition, Checkpoint, Document, EventKind,
    HistoryEntry, Layout, ListQuery, Order, Repair,
};
use shared_domain::{Capacity, CircleId, CircleName, DeletionReason, EventId, Sequence, Version};
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

/// Circles as events made them, and what of this the read model lacks yet.
#[derive(Clone)]
pub(crate) struct World {
    /// By id, with the sequence of their creation; without those deleted.
    pub(crate) circles: BTreeMap<CircleId, (Document, Sequence)>,
    pub(crate) histories: BTreeMap<CircleId, Vec<HistoryEntry>>,
    /// All that happened.
    pub(crate) changes: Vec<ChangeEntry>,
    pub(crate) checkpoint: Checkpoint,
    /// When the next event happens; it moves on by a second with each.
    pub(crate) clock: DateTime<Utc>,
    pending: BTreeMap<CircleId, Change>,
    /// How many of the changes the read model has.
    written: usize,
    made: u128,
}

/// The checkpoint after the event of a sequence.
pub(crate) fn checkpoint_at(sequence: Sequence) -> Checkpoint {
    if sequence == Sequence::ZERO {
        return Checkpoint::EMPTY;
    }
    let id = EventId::from_uuid(Uuid::from_u128(sequence.get().into()));
    Checkpoint::at(sequence, id)
}

impl World {
    pub(crate) fn empty() -> Self {
        Self {
            circles: BTreeMap::new(),
            histories: BTreeMap::new(),
            changes: Vec::new(),
            checkpoint: Checkpoint::EMPTY,
            clock: DateTime::from_timestamp(1_800_000_000, 7_000).unwrap(),
            pending: BTreeMap::new(),
            written: 0,
            made: 0,
        }
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
        self.happen(id, EventKind::CircleCreated, Some(document), None);
        id
    }

    pub(crate) fn update(&mut self, id: CircleId, name: Option<&str>, capacity: Option<i64>) {
        let mut document = self.document(id).unwrap();
        if let Some(name) = name {
            document.name = CircleName::new(name).unwrap();
        }
        if let Some(capacity) = capacity {
            document.capacity = Capacity::new(capacity).unwrap();
        }
        document.version = document.version.next().unwrap();
        self.happen(id, EventKind::CircleUpdated, Some(document), None);
    }

    pub(crate) fn delete(&mut self, id: CircleId) {
        let reason = DeletionReason::new("too few").unwrap();
        self.happen(id, EventKind::CircleDeleted, None, Some(reason));
    }

    fn happen(
        &mut self,
        id: CircleId,
        kind: EventKind,
        after: Option<Document>,
        reason: Option<DeletionReason>,
    ) {
        let sequence = self.checkpoint.sequence.next();
        self.checkpoint = checkpoint_at(sequence);
        let occurred_at = self.clock;
        self.clock += TimeDelta::seconds(1);

        let before = self.circles.get(&id).cloned();
        let history = self.histories.entry(id).or_default();
        let (version, latest) = match history.last() {
            Some(last) => (last.version.next().unwrap(), last.effective_at()),
            None => (Version::FIRST, occurred_at),
        };
        let old = before.as_ref().map(|(document, _)| document);
        let new = after.as_ref();
        let entry = HistoryEntry {
            version,
            kind,
            name: new.map(|document| document.name.clone()),
            capacity: new.map(|document| document.capacity),
            before: Before {
                name: old
                    .map(|document| document.name.clone())
                    .filter(|name| new.is_none_or(|new| new.name != *name)),
                capacity: old
                    .map(|document| document.capacity)
                    .filter(|capacity| new.is_none_or(|new| new.capacity != *capacity)),
            },
            occurred_at,
            effective_at: (occurred_at < latest).then_some(latest),
            actor: Some("anna".to_owned()).filter(|_| sequence.get().is_multiple_of(2)),
            sequence,
            reason,
        };
        history.push(entry.clone());
        self.changes.push(ChangeEntry {
            position: ChangePosition::of(sequence),
            kind: Some(kind),
            circle_id: id,
            version: Some(version),
            event_id: self.checkpoint.event_id,
            document: after.clone(),
        });
        let created = before.as_ref().map_or(sequence, |(_, created)| *created);
        let base = Version::new(i64::from(version.get()) - 1).ok();
        let change = self.pending.entry(id).or_insert_with(|| Change {
            id,
            base,
            created: before.is_none().then_some(sequence),
            before: before.map(|(document, _)| document),
            after: None,
            history: Vec::new(),
        });
        change.history.push(entry);
        change.after.clone_from(&after);
        if change.after.is_none() {
            change.created = None;
        }
        match after {
            Some(document) => self.circles.insert(id, (document, created)),
            None => self.circles.remove(&id),
        };
    }

    /// What the read model lacks, for each partition. Later batches take it for
    /// written.
    pub(crate) fn batches(&mut self, layout: Layout) -> Vec<Batch> {
        let mut batches = vec![Batch::new(self.checkpoint); layout.partitions().into()];
        for (id, change) in std::mem::take(&mut self.pending) {
            batches[layout.partition_of(id)].changes.push(change);
        }
        for entry in &self.changes[self.written..] {
            let partition = layout.partition_of(entry.circle_id);
            batches[partition].entries.push(entry.clone());
        }
        self.written = self.changes.len();
        batches
    }

    /// The same for the only partition.
    pub(crate) fn batch(&mut self) -> Batch {
        self.batches(Layout::PLAIN).remove(0)
    }

    pub(crate) fn document(&self, id: CircleId) -> Option<Document> {
        self.circles.get(&id).map(|(document, _)| document.clone())
    }

    /// All that the read model should have of a circle.
    pub(crate) fn repair(&self, id: CircleId) -> Repair {
        let history = self.histories.get(&id).cloned().unwrap_or_default();
        Repair {
            id,
            version: history.last().map(|entry| entry.version),
            document: self.document(id),
            created: history
                .first()
                .map_or(Sequence::ZERO, |entry| entry.sequence),
            history,
            parked: None,
        }
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
