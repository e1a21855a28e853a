//! A log that lost its tail, as in a failover to a server that had not got all of it: the read
//! models go back to the last event that both have.

use std::collections::BTreeMap;

use read_model::{ChangeEntry, Checkpoint, Parked, ParkedEvent, Partition};
use shared_domain::{CircleId, Sequence, Version};

use crate::project::{Projector, Step, StepError};
use crate::state::{PartitionState, State};

/// How many changes are compared with the log at once.
const PAGE: u32 = 1_000;

/// What parks the circles of lost events, until they are folded anew.
const LOST: &str = "the log lost an event of this circle";

/// Where a partition and the log part.
enum Common {
    /// After this event; these circles have events that the log lost.
    At(Checkpoint, Vec<Parked>),
    /// Before everything that is kept.
    Unknown,
}

impl Projector {
    /// Takes every partition back that has events which the log has not.
    pub(crate) async fn rewind(&mut self, state: &mut State) -> Result<Step, StepError> {
        self.counts.rewinds += 1;
        let mut emptied = false;
        for n in 0..state.partitions.len() {
            let Checkpoint { sequence, event_id } = state.partitions[n].standing.checkpoint;
            if self.event_at(sequence).await? == event_id {
                continue;
            }
            tracing::error!(
                %sequence,
                "the log has lost the event that the read model is at, as in a failover"
            );
            if !self.rewind_partition(&mut state.partitions[n], n).await? {
                return Ok(Step::Superseded);
            }
            emptied |= state.partitions[n].standing.is_empty();
        }
        if emptied {
            // Whoever looks next finds it so, and fills it.
            return Ok(Step::Superseded);
        }
        Ok(Step::Rewound {
            common: state.furthest_behind().sequence,
        })
    }

    /// Answers whether the partition was where we thought.
    async fn rewind_partition(
        &mut self,
        state: &mut PartitionState,
        n: usize,
    ) -> Result<bool, StepError> {
        let partition = self.partitions[n].clone();
        let standing = state.standing;
        match self.common(&partition).await? {
            Common::At(common, lost) => {
                tracing::error!(
                    common = %common.sequence, until = %standing.checkpoint.sequence,
                    circles = lost.len(), "taking the read model back"
                );
                let Some(standing) = partition.rewind(&standing, common, &lost).await? else {
                    return Ok(false);
                };
                state.standing = standing;
                for Parked { circle_id, event } in lost {
                    state.parked.insert(circle_id, event);
                }
                // What came after the common event is in none of the circles' past any more.
                let parked: Vec<CircleId> = state.parked.keys().copied().collect();
                Ok(self.mend(state, n, &parked).await?.is_some())
            }
            Common::Unknown => {
                tracing::error!("it lost more than the changes that are kept; building anew");
                let head = self.log.head().await?;
                // Just before the changes that will be kept, so that watches that saw what is lost
                // end and begin anew with a list. Those of the lists to come do not.
                let before = |sequence: Sequence| Sequence::new(sequence.get().saturating_sub(1));
                let (common, until) = (before(self.entries_after(head)), before(head));
                let begun = partition
                    .begin_after_loss(&standing, &self.options.holder, common, until)
                    .await?;
                let Some(standing) = begun else {
                    return Ok(false);
                };
                state.standing = standing;
                // Nothing that was known of the circles holds.
                self.forget();
                Ok(true)
            }
        }
    }

    /// Finds the last event that is in the partition's changes and in the log, and the circles
    /// that have later ones.
    async fn common(&self, partition: &Partition) -> Result<Common, StepError> {
        let mut lost: BTreeMap<CircleId, ParkedEvent> = BTreeMap::new();
        let mut place = None;
        loop {
            let page = partition.changes_before(place, PAGE).await?;
            let ids = match (page.entries.last(), page.entries.first()) {
                (Some(first), Some(last)) => {
                    let (first, last) = (first.position.sequence, last.position.sequence);
                    self.log.event_ids(first, last).await?
                }
                _ => BTreeMap::new(),
            };
            for entry in &page.entries {
                let sequence = entry.position.sequence;
                match entry.event_id {
                    Some(id) if ids.get(&sequence) == Some(&id) => {
                        return Ok(Common::At(Checkpoint::at(sequence, id), parked(lost)));
                    }
                    _ => drop(lost.insert(entry.circle_id, lost_event(entry))),
                }
                place = Some(entry.position);
            }
            if page.entries.is_empty() {
                let all = page.floor == Sequence::ZERO;
                return Ok(match all {
                    true => Common::At(Checkpoint::EMPTY, parked(lost)),
                    false => Common::Unknown,
                });
            }
        }
    }
}

fn lost_event(entry: &ChangeEntry) -> ParkedEvent {
    ParkedEvent {
        sequence: entry.position.sequence,
        version: entry.version.unwrap_or(Version::FIRST),
        reason: LOST.to_owned(),
    }
}

fn parked(circles: BTreeMap<CircleId, ParkedEvent>) -> Vec<Parked> {
    circles
        .into_iter()
        .map(|(circle_id, event)| Parked { circle_id, event })
        .collect()
}
