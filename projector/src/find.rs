//! Finding out where the read models are, and bringing them to be.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use read_model::{Checkpoint, Partition, Phase};
use shared_domain::{CircleId, EventId, Sequence};

use crate::project::{Projector, Step, StepError};
use crate::state::{Build, PartitionState, State};

/// How long a projector that has nothing to write trusts that Redis lost nothing.
const LOOK_AFTER: Duration = Duration::from_millis(100);

impl Projector {
    /// Finds out where the read models are, and begins new ones where there are none. Circles
    /// that are parked are tried again, as this may be a newer program.
    pub(crate) async fn find(&mut self) -> Result<Option<State>, StepError> {
        let mut found = Vec::new();
        for partition in &self.partitions {
            let standing = match partition.standing().await? {
                Some(standing) => standing,
                None => {
                    tracing::warn!("there is no read model; building it from the log");
                    let begun = partition.begin(None, &self.options.holder).await?;
                    let Some(standing) = begun else {
                        return Ok(None);
                    };
                    self.counts.builds += 1;
                    standing
                }
            };
            found.push(PartitionState {
                build: match standing.phase {
                    Phase::Building => Build::Histories,
                    Phase::Live => Build::Whole,
                },
                standing,
                parked: partition.parked().await?,
            });
        }
        let kept = self
            .partitions
            .iter()
            .map(Partition::changes_kept)
            .max()
            .unwrap_or_default();
        let head = self.log.head().await?;
        let mut state = State {
            partitions: found,
            holes: self.partitions[0].holes().await?,
            entries_after: Sequence::new(head.get().saturating_sub(kept.into())),
        };
        if !self.matches(&state).await? {
            // The step that comes sees it again, and mends it.
            if !matches!(self.rewind(&mut state).await?, Step::Rewound { .. }) {
                return Ok(None);
            }
        }
        for n in 0..state.partitions.len() {
            let parked: Vec<CircleId> = state.partitions[n].parked.keys().copied().collect();
            if !self.mend(&mut state.partitions[n], n, &parked).await? {
                return Ok(None);
            }
        }
        Ok(Some(state))
    }

    /// Whether the log has the last event of every partition.
    pub(crate) async fn matches(&self, state: &State) -> Result<bool, StepError> {
        let matches = state.partitions.iter().map(async |partition| {
            let Checkpoint { sequence, event_id } = partition.standing.checkpoint;
            let found = self.event_at(sequence).await?;
            Ok::<_, StepError>(found == event_id)
        });
        Ok(try_join_all(matches)
            .await?
            .into_iter()
            .all(|matches| matches))
    }

    pub(crate) async fn event_at(&self, sequence: Sequence) -> Result<Option<EventId>, StepError> {
        let found = self.log.event_ids(sequence, sequence).await?;
        Ok(found.into_values().next())
    }

    /// Whether the read models still are where they were, which matters when nothing is written
    /// for long: Redis may have lost something.
    pub(crate) async fn is_there(&mut self, state: &State) -> Result<bool, StepError> {
        if self.seen_there.elapsed() < LOOK_AFTER {
            return Ok(true);
        }
        let standings = self.partitions.iter().map(Partition::standing);
        let standings = try_join_all(standings).await?;
        self.seen_there = Instant::now();
        Ok(standings
            .into_iter()
            .zip(&state.partitions)
            .all(|(found, partition)| found == Some(partition.standing)))
    }

    /// Makes documents and indexes of a read model that is built, some at a time.
    pub(crate) async fn finish(&mut self, state: &mut State) -> Result<Step, StepError> {
        for (state, partition) in state.partitions.iter_mut().zip(&self.partitions) {
            let Build::Finishing(cursor) = &state.build else {
                continue;
            };
            state.build = match partition.finish(&state.standing, cursor).await? {
                None => return Ok(Step::Superseded),
                Some(cursor) if cursor == "0" => Build::Whole,
                Some(cursor) => Build::Finishing(cursor),
            };
            break;
        }
        Ok(Step::Finishing)
    }
}
