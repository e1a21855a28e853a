//! What the projector knows of the read models.

use std::collections::BTreeMap;

use read_model::{Batch, Checkpoint, Parked, ParkedEvent, Phase, Standing};
use shared_domain::{CircleId, Sequence};

use crate::fill::Fill;
use crate::fold::{Folded, Known};

/// What the projector knows of the read models.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) partitions: Vec<PartitionState>,
    pub(crate) holes: BTreeMap<Sequence, Sequence>,
    /// Changes up to here are not kept by a read model that is built.
    pub(crate) entries_after: Sequence,
    /// The circles that are still to be written into partitions that are built.
    pub(crate) fill: Option<Fill>,
}

/// What the projector knows of a partition.
#[derive(Debug)]
pub(crate) struct PartitionState {
    pub(crate) standing: Standing,
    pub(crate) parked: BTreeMap<CircleId, ParkedEvent>,
}

impl PartitionState {
    /// The batch that a folded page comes to, and the circles as they are after it.
    pub(crate) fn batch(
        &self,
        folded: Folded,
        until: Checkpoint,
        completes: bool,
        entries_after: Sequence,
    ) -> (Batch, Vec<(CircleId, Known)>) {
        let building = self.standing.phase == Phase::Building;
        let mut batch = Batch {
            completes: completes && building,
            changes: folded.changes,
            entries: folded.entries,
            parked: folded.parked,
            ..Batch::new(until)
        };
        if building {
            let all = batch.entries.len();
            batch
                .entries
                .retain(|entry| entry.position.sequence > entries_after);
            batch.entries_after = Some(entries_after).filter(|_| batch.entries.len() < all);
        }
        (batch, folded.known)
    }

    /// What is known once a batch is applied.
    pub(crate) fn applied(&mut self, batch: Batch) {
        if batch.completes {
            tracing::info!(sequence = %batch.checkpoint.sequence, "the read model is built");
        }
        self.standing = self.standing.after(&batch);
        for Parked { circle_id, event } in batch.parked {
            tracing::error!(
                %circle_id, sequence = %event.sequence, reason = %event.reason, "circle parked"
            );
            self.parked.insert(circle_id, event);
        }
    }
}

impl State {
    /// The checkpoint of the partition that has the furthest to go.
    pub(crate) fn furthest_behind(&self) -> Checkpoint {
        self.partitions
            .iter()
            .map(|partition| partition.standing.checkpoint)
            .min_by_key(|checkpoint| checkpoint.sequence)
            .unwrap_or(Checkpoint::EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use read_model::{ChangeEntry, ChangePosition};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn of_what_is_built_only_later_changes_are_kept() {
        let page = || Folded {
            entries: [4, 5, 6]
                .map(|sequence| ChangeEntry {
                    position: ChangePosition::of(Sequence::new(sequence)),
                    kind: None,
                    circle_id: CircleId::from_uuid(Uuid::nil()),
                    version: None,
                    event_id: None,
                    document: None,
                })
                .into(),
            ..Folded::default()
        };
        let (building, live) = (Phase::Building, Phase::Live);
        for (phase, after, kept, told) in [
            (building, 3, vec![4, 5, 6], None),
            (building, 4, vec![5, 6], Some(4)),
            (building, 6, vec![], Some(6)),
            (live, 6, vec![4, 5, 6], None),
        ] {
            let state = PartitionState {
                standing: Standing {
                    phase,
                    checkpoint: Checkpoint::EMPTY,
                    revision: 0,
                },
                parked: BTreeMap::new(),
            };
            let (batch, _) = state.batch(page(), Checkpoint::EMPTY, true, Sequence::new(after));
            let entries = batch.entries.iter();
            let entries: Vec<u64> = entries.map(|entry| entry.position.sequence.get()).collect();
            assert_eq!(entries, kept, "{phase:?} {after}");
            assert_eq!(batch.entries_after, told.map(Sequence::new));
            assert_eq!(batch.completes, phase == Phase::Building);
        }
    }
}
