//! Folding circles anew from the log.

use std::collections::{BTreeMap, BTreeSet};

use event_store::LogEntry;
use read_model::{Repair, RepairMode, Repaired};
use shared_domain::{CircleId, Sequence, Version};

use crate::fold::{Known, refold};
use crate::project::{Projector, StepError};
use crate::state::{PartitionState, State};

/// How many circles are folded and compared at once: the read models get no event meanwhile.
const AT_ONCE: usize = 100;

/// What is wrong with circles, as they were compared with the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Compared {
    /// Circles of which anything was not as the log has it.
    pub(crate) divergent: Vec<CircleId>,
    /// The version of each circle that the log knows.
    pub(crate) versions: BTreeMap<CircleId, Version>,
    /// Circles with an event that can't be read or applied.
    pub(crate) parked: BTreeSet<CircleId>,
}

impl Projector {
    /// Folds circles of a partition from the log, up to its checkpoint, and writes what differs.
    /// Answers of how many circles anything did; none where the partition is elsewhere than we
    /// thought.
    pub(crate) async fn mend(
        &mut self,
        state: &mut PartitionState,
        n: usize,
        ids: &[CircleId],
    ) -> Result<Option<usize>, StepError> {
        let mut changed = 0;
        for ids in ids.chunks(AT_ONCE) {
            let mode = RepairMode::Repair;
            match self.compare_with_log(state, n, ids, mode).await? {
                Some(compared) => changed += compared.divergent.len(),
                None => return Ok(None),
            }
        }
        Ok(Some(changed))
    }

    /// Compares up to [`AT_ONCE`] circles with the log, and repairs them where `mode` says so.
    /// None where the partition is elsewhere than we thought.
    async fn compare_with_log(
        &mut self,
        state: &mut PartitionState,
        n: usize,
        ids: &[CircleId],
        mode: RepairMode,
    ) -> Result<Option<Compared>, StepError> {
        let until = state.standing.checkpoint.sequence;
        let folded = self.fold_from_log(ids, until).await?;
        let (repairs, known): (Vec<Repair>, Vec<Known>) = folded.into_iter().unzip();
        let repaired = self.partitions[n]
            .repair(&state.standing, &repairs, mode)
            .await?;
        let Repaired::Done { standing, changed } = repaired else {
            return Ok(None);
        };
        state.standing = standing;
        for (repair, known) in repairs.iter().zip(known) {
            if mode == RepairMode::Compare {
                // What is remembered is what was written, right or wrong.
                continue;
            }
            match &repair.parked {
                // Nobody asks what is known of it until it is mended.
                Some(event) => drop(state.parked.insert(repair.id, event.clone())),
                None => {
                    state.parked.remove(&repair.id);
                    self.remember(repair.id, known);
                }
            }
        }
        if mode == RepairMode::Repair {
            self.counts.repaired += changed.len() as u64;
        }
        let versions = repairs
            .iter()
            .filter_map(|repair| Some((repair.id, repair.version?)));
        let parked = repairs.iter().filter(|repair| repair.parked.is_some());
        Ok(Some(Compared {
            versions: versions.collect(),
            parked: parked.map(|repair| repair.id).collect(),
            divergent: changed,
        }))
    }

    async fn fold_from_log(
        &self,
        ids: &[CircleId],
        until: Sequence,
    ) -> Result<Vec<(Repair, Known)>, StepError> {
        let mut histories: BTreeMap<CircleId, Vec<LogEntry>> =
            ids.iter().map(|id| (*id, Vec::new())).collect();
        for entry in self.log.histories(ids, until).await? {
            histories.entry(entry.circle_id).or_default().push(entry);
        }
        Ok(histories
            .iter()
            .map(|(id, events)| refold(*id, events))
            .collect())
    }

    /// Compares circles with the log where the read models are now, and repairs them where
    /// `mode` says so. None where they are elsewhere than we thought; then nothing more was done.
    ///
    /// # Errors
    ///
    /// As [`Projector::step`].
    pub(crate) async fn compare(
        &mut self,
        ids: &BTreeSet<CircleId>,
        mode: RepairMode,
    ) -> Result<Option<Compared>, StepError> {
        let Some(mut state) = self.take_state().await? else {
            return Ok(None);
        };
        let mut all = Compared::default();
        for n in 0..state.partitions.len() {
            let here: Vec<CircleId> = ids
                .iter()
                .copied()
                .filter(|id| self.layout.partition_of(*id) == n)
                .collect();
            for ids in here.chunks(AT_ONCE) {
                let partition = &mut state.partitions[n];
                match self.compare_with_log(partition, n, ids, mode).await? {
                    Some(compared) => {
                        all.divergent.extend(compared.divergent);
                        all.versions.extend(compared.versions);
                        all.parked.extend(compared.parked);
                    }
                    None => {
                        self.forget();
                        return Ok(None);
                    }
                }
            }
        }
        self.state = Some(state);
        Ok(Some(all))
    }

    /// The state, to be put back when all went well.
    pub(crate) async fn take_state(&mut self) -> Result<Option<State>, StepError> {
        match self.settle().await {
            Ok(true) => {}
            Ok(false) => self.forget(),
            Err(error) => {
                self.forget();
                return Err(error);
            }
        }
        match self.state.take() {
            Some(state) => Ok(Some(state)),
            None => self.find().await,
        }
    }

    /// The circles that are parked.
    pub(crate) fn parked_ids(&self) -> BTreeSet<CircleId> {
        let partitions = self.state.iter().flat_map(|state| &state.partitions);
        partitions
            .flat_map(|partition| partition.parked.keys().copied())
            .collect()
    }
}
