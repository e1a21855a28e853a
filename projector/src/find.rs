//! Finding out where the read models are, and bringing them to be.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use read_model::{Checkpoint, Partition, Standing};
use shared_domain::{CircleId, EventId, Sequence};

use crate::project::{Projector, StepError};
use crate::state::{PartitionState, State};

/// How long a projector that has nothing to write trusts that Redis lost nothing.
const LOOK_AFTER: Duration = Duration::from_millis(100);

/// How many changes a read model that is built has of the past at most: they are in memory for a
/// while.
const KEPT_BY_A_BUILD: u32 = 200_000;

impl Projector {
    /// Finds out where the read models are, and begins new ones where there are none. Circles
    /// that are parked are tried again, as this may be a newer program.
    pub(crate) async fn find(&mut self) -> Result<Option<State>, StepError> {
        let mut found = Vec::new();
        for partition in &self.partitions {
            let standing = partition.standing().await?;
            let standing = match standing {
                // There may be remains of another one who began to fill it. Whoever begins
                // fences all who began before.
                None => self.begin(partition, None).await?,
                Some(standing) if standing.is_empty() => {
                    self.begin(partition, Some(&standing)).await?
                }
                Some(standing) => Some(standing),
            };
            let Some(standing) = standing else {
                return Ok(None);
            };
            self.counts.builds += u64::from(standing.is_empty());
            found.push(PartitionState {
                standing,
                parked: partition.parked().await?,
            });
        }
        let head = self.log.head().await?;
        let mut state = State {
            partitions: found,
            holes: self.partitions[0].holes().await?,
            entries_after: self.entries_after(head),
            fill: None,
        };
        if !self.matches(&state).await? {
            self.rewind(&mut state).await?;
            // Whoever looks next finds them where they are by then.
            return Ok(None);
        }
        for n in 0..state.partitions.len() {
            let parked: Vec<CircleId> = state.partitions[n].parked.keys().copied().collect();
            let mended = self.mend(&mut state.partitions[n], n, &parked).await?;
            if mended.is_none() {
                return Ok(None);
            }
        }
        let mut standings = state.partitions.iter().map(|partition| partition.standing);
        if standings.any(|standing| standing.is_empty()) {
            state.fill = self.begin_fill(&state).await?;
        }
        Ok(Some(state))
    }

    /// Changes up to here are not kept by a read model that is built while the log ends at `head`.
    pub(crate) fn entries_after(&self, head: Sequence) -> Sequence {
        let kept = self.partitions.iter().map(Partition::changes_kept).max();
        let kept = kept.unwrap_or_default().min(KEPT_BY_A_BUILD);
        Sequence::new(head.get().saturating_sub(kept.into()))
    }

    async fn begin(
        &self,
        partition: &Partition,
        expected: Option<&Standing>,
    ) -> Result<Option<Standing>, StepError> {
        tracing::warn!("there is no read model; building it from the log");
        Ok(partition.begin(expected, &self.options.holder).await?)
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
}
