//! Where a partition is, and what became of writes.

use shared_domain::CircleId;

use crate::batch::Batch;
use crate::checkpoint::Checkpoint;

/// Where a partition of the read models is. Every write names the standing that
/// it expects, and does nothing where there is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it serves queries, or is built.
    pub phase: Phase,
    /// Its last event.
    pub checkpoint: Checkpoint,
    /// How often something was written that was not the next event.
    pub revision: u64,
}

/// What a partition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is built from the beginning of the log and serves no query yet.
    Building,
    /// It serves queries.
    Live,
}

impl Standing {
    /// Whether it is built and has nothing of the log yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phase == Phase::Building && self.checkpoint == Checkpoint::EMPTY
    }

    /// The standing once a batch is applied.
    #[must_use]
    pub fn after(&self, batch: &Batch) -> Self {
        let phase = match self.phase {
            Phase::Building if !batch.completes => Phase::Building,
            Phase::Building | Phase::Live => Phase::Live,
        };
        Self {
            phase,
            checkpoint: batch.checkpoint,
            ..*self
        }
    }
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is written.
    Applied(Standing),
    /// Nothing of it was written: the standing is another one.
    Superseded,
    /// Nothing of it was written: these circles are not as the batch takes them
    /// to be.
    Unfit(Vec<CircleId>),
}

/// What to do about a circle that is shown wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairMode {
    /// Tell.
    Compare,
    /// Tell, and mend it.
    Repair,
}

impl RepairMode {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Compare => "compare",
            Self::Repair => "repair",
        }
    }
}

/// What became of repairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repaired {
    /// All are compared, and made where asked.
    Done {
        /// The new standing.
        standing: Standing,
        /// The circles of which anything was not as it should be.
        changed: Vec<CircleId>,
    },
    /// Nothing was written: the standing is another one.
    Superseded,
}
