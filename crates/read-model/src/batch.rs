//! What one step of the projection changes.

use std::collections::BTreeMap;

use shared_domain::{CircleId, Sequence};

use crate::checkpoint::Checkpoint;
use crate::document::Document;

/// What happens to one circle in a batch. The documents before are those that
/// [`Projection::documents`](crate::Projection::documents) gave: they tell
/// which entries of the indexes to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The circle appears.
    Create {
        /// How it is now.
        document: Document,
        /// The sequence of its CircleCreated event, its place in the list by
        /// creation.
        created: Sequence,
    },
    /// The circle has changed. It keeps its place in the list by creation.
    Update {
        /// How it was.
        before: Document,
        /// How it is now; of the same id.
        after: Document,
    },
    /// The circle is gone.
    Delete {
        /// How it was.
        before: Document,
    },
}

impl Change {
    /// The circle that changes.
    #[must_use]
    pub fn id(&self) -> CircleId {
        match self {
            Self::Create { document, .. } => document.id,
            Self::Update { after, .. } => after.id,
            Self::Delete { before } => before.id,
        }
    }

    pub(crate) fn before(&self) -> Option<&Document> {
        match self {
            Self::Create { .. } => None,
            Self::Update { before, .. } | Self::Delete { before } => Some(before),
        }
    }

    pub(crate) fn after(&self) -> Option<&Document> {
        match self {
            Self::Create { document, .. } => Some(document),
            Self::Update { after, .. } => Some(after),
            Self::Delete { .. } => None,
        }
    }

    pub(crate) fn created(&self) -> Option<Sequence> {
        match self {
            Self::Create { created, .. } => Some(*created),
            Self::Update { .. } | Self::Delete { .. } => None,
        }
    }
}

/// One step of the projection: at most one change per circle, and the
/// checkpoint that holds once they are made. A thousand changes are fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    changes: BTreeMap<CircleId, Change>,
    checkpoint: Checkpoint,
}

impl Batch {
    /// A step that moves the checkpoint only.
    #[must_use]
    pub const fn new(checkpoint: Checkpoint) -> Self {
        Self {
            changes: BTreeMap::new(),
            checkpoint,
        }
    }

    /// Adds the change of one circle, from before the step to after it. It
    /// replaces what was said of this circle earlier.
    pub fn insert(&mut self, change: Change) {
        self.changes.insert(change.id(), change);
    }

    /// The changes, by circle.
    pub fn changes(&self) -> impl ExactSizeIterator<Item = &Change> {
        self.changes.values()
    }

    /// The checkpoint after the step.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }
}

impl Extend<Change> for Batch {
    fn extend<T: IntoIterator<Item = Change>>(&mut self, changes: T) {
        changes.into_iter().for_each(|change| self.insert(change));
    }
}
