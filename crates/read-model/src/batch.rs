//! What one step of the projection changes.

use shared_domain::{CircleId, Sequence, Version};

use crate::change::ChangeEntry;
use crate::checkpoint::Checkpoint;
use crate::document::Document;
use crate::history::HistoryEntry;
use crate::parked::{Parked, ParkedEvent};

/// What happens to one circle in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The circle.
    pub id: CircleId,
    /// Its version before; none where it did not exist. The read model refuses
    /// the batch where it has another one.
    pub base: Option<Version>,
    /// How it was shown before, which tells the entries of the indexes to
    /// remove; none where it was not.
    pub before: Option<Document>,
    /// How it is shown now; none where it is gone.
    pub after: Option<Document>,
    /// The sequence of its creation, its place in the list by creation; only
    /// where it is shown now and was not before.
    pub created: Option<Sequence>,
    /// What happened, in order; one entry for every version after `base`.
    pub history: Vec<HistoryEntry>,
}

/// One step of the projection of one partition. A thousand changes are fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// At most one per circle.
    pub changes: Vec<Change>,
    /// The events of the batch as watches see them, in their order.
    pub entries: Vec<ChangeEntry>,
    /// Circles that get no further.
    pub parked: Vec<Parked>,
    /// The checkpoint after the step.
    pub checkpoint: Checkpoint,
    /// Whether a read model that is built is complete with this step.
    pub completes: bool,
    /// Where the batch leaves out entries that would soon be dropped: the last
    /// sequence without an entry.
    pub entries_after: Option<Sequence>,
}

impl Batch {
    /// A step that moves the checkpoint only.
    #[must_use]
    pub const fn new(checkpoint: Checkpoint) -> Self {
        Self {
            changes: Vec::new(),
            entries: Vec::new(),
            parked: Vec::new(),
            checkpoint,
            completes: false,
            entries_after: None,
        }
    }
}

/// All that is to be shown of one circle, as the log has it up to the
/// checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The circle.
    pub id: CircleId,
    /// The version of its last event; none where the log has no event of it.
    pub version: Option<Version>,
    /// How it is shown; none where it is not.
    pub document: Option<Document>,
    /// The sequence of its creation; zero where it was never created.
    pub created: Sequence,
    /// Its history.
    pub history: Vec<HistoryEntry>,
    /// The event that parks it, if one does; all else is then as before that.
    pub parked: Option<ParkedEvent>,
}
