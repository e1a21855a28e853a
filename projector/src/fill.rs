//! The beginning of new read models: circle by circle, each with its whole history at once, up to
//! the end that the log had then. That is half the work of going through it event by event.

use read_model::{Batch, ChangeEntry, Checkpoint, Outcome, Repair};
use shared_domain::Sequence;

use crate::fold::Known;
use crate::gather::{Gathering, Part, Scope};
use crate::page::events_between;
use crate::project::{Projector, Step, StepError};
use crate::state::State;
use crate::task;

/// How many circles, and about how many events of them, are written in one command: Redis does
/// nothing else meanwhile.
const CIRCLES_AT_ONCE: usize = 12;
const EVENTS_AT_ONCE: usize = 60;

/// How many commands are waited for: one more would keep Redis from queries for longer. Circles are
/// sent before there is room, so with them one more is on its way; changes wait for each other.
const AHEAD: usize = 2;

/// How many changes are told in one command.
const TOLD_AT_ONCE: usize = 100;

/// How far a fill is.
#[derive(Debug)]
pub(crate) struct Fill {
    /// The end of the log when it began.
    until: Checkpoint,
    /// What comes next; none when all is written.
    gathering: Option<Gathering>,
}

impl Projector {
    /// Begins to fill partitions that are built and empty, if there are any, and if the log has
    /// no hole, at which only going through it event by event can halt.
    pub(crate) async fn begin_fill(&self, state: &State) -> Result<Option<Fill>, StepError> {
        let head = self.log.head().await?;
        let Some(id) = self.event_at(head).await? else {
            return Ok(None);
        };
        let events = events_between(Sequence::ZERO, head, &state.holes);
        if self.log.count(head).await? != events {
            tracing::warn!("the log has a hole; it is gone through event by event");
            return Ok(None);
        }
        let scope = Scope {
            until: head,
            entries_after: state.entries_after,
            events,
            holes: state.holes.clone(),
        };
        Ok(Some(Fill {
            until: Checkpoint::at(head, id),
            gathering: Some(Gathering::begin(
                self.log.clone(),
                scope,
                self.options.in_memory,
            )),
        }))
    }

    /// Writes what was gathered, while more is. After the last part, the partitions are where the
    /// log ended when this began.
    pub(crate) async fn fill(&mut self, state: &mut State, fill: Fill) -> Result<Step, StepError> {
        let Fill { until, gathering } = fill;
        let next = match gathering {
            Some(gathering) => gathering.next().await?,
            None => None,
        };
        let Some((part, gathering)) = next else {
            return self.end_fill(state, until).await;
        };
        let fill = Fill {
            until,
            gathering: Some(gathering),
        };
        let part = match part {
            Ok(part) => part,
            Err(outage) => {
                state.fill = Some(fill);
                return Err(outage.into());
            }
        };
        let Part {
            circles,
            changes,
            events,
        } = part;
        if !self.fill_changes(state, changes).await? || !self.fill_circles(state, circles).await? {
            return Ok(Step::Superseded);
        }
        state.fill = Some(fill);
        Ok(Step::Filled { events })
    }

    async fn fill_circles(
        &mut self,
        state: &mut State,
        circles: Vec<(Repair, Known)>,
    ) -> Result<bool, StepError> {
        let mut repairs: Vec<Vec<Repair>> = vec![Vec::new(); state.partitions.len()];
        for (repair, known) in circles {
            let n = self.layout.partition_of(repair.id);
            let partition = &mut state.partitions[n];
            if !partition.standing.is_empty() {
                continue;
            }
            match &repair.parked {
                Some(event) => drop(partition.parked.insert(repair.id, event.clone())),
                None => self.remember(repair.id, known),
            }
            repairs[n].push(repair);
        }
        for (n, circles) in repairs.into_iter().enumerate() {
            for circles in chunks(circles, |circle| circle.history.len()) {
                let (partition, standing) =
                    (self.partitions[n].clone(), state.partitions[n].standing);
                // Begun at once, as their order does not matter.
                let write = task::begin(async move { partition.fill(&standing, &circles).await });
                if !self
                    .write_ahead(task::end(write), 0, Sequence::ZERO, AHEAD)
                    .await?
                {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    async fn fill_changes(
        &mut self,
        state: &State,
        changes: Vec<ChangeEntry>,
    ) -> Result<bool, StepError> {
        let mut entries: Vec<Vec<ChangeEntry>> = vec![Vec::new(); state.partitions.len()];
        for change in changes {
            entries[self.layout.partition_of(change.circle_id)].push(change);
        }
        for (n, entries) in entries.into_iter().enumerate() {
            let standing = &state.partitions[n].standing;
            if !standing.is_empty() {
                continue;
            }
            for entries in entries.chunks(TOLD_AT_ONCE) {
                let batch = Batch {
                    entries: entries.to_vec(),
                    ..Batch::new(Checkpoint::EMPTY)
                };
                let partition = self.partitions[n].clone();
                let prepared = partition.prepare(standing, &batch);
                let write = async move {
                    let outcome = partition.write(prepared).await?;
                    Ok(matches!(outcome, Outcome::Applied(_)))
                };
                if !self.write_ahead(write, 0, Sequence::ZERO, AHEAD).await? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    async fn end_fill(&mut self, state: &mut State, until: Checkpoint) -> Result<Step, StepError> {
        if !self.settle().await? {
            return Ok(Step::Superseded);
        }
        // Circles are read at different times. If the log lost any event of those that were
        // read, it lost this one, too.
        let found = match self.event_at(until.sequence).await {
            Err(outage) if outage.is_transient() => {
                state.fill = Some(Fill {
                    until,
                    gathering: None,
                });
                return Err(outage);
            }
            found => found?,
        };
        if found != until.event_id {
            tracing::error!(
                sequence = %until.sequence,
                "the log has lost events that were read, as in a failover; building anew"
            );
            self.counts.rewinds += 1;
            return Ok(Step::Superseded);
        }
        let end = Batch {
            entries_after: Some(state.entries_after).filter(|after| *after > Sequence::ZERO),
            ..Batch::new(until)
        };
        for (partition, state) in self.partitions.iter().zip(&mut state.partitions) {
            if !state.standing.is_empty() {
                continue;
            }
            match partition.apply(&state.standing, &end).await? {
                Outcome::Applied(standing) => state.standing = standing,
                _ => return Ok(Step::Superseded),
            }
        }
        Ok(Step::Filled { events: 0 })
    }
}

/// Circles that are written in one command each, where `events_of` tells how many events one has.
fn chunks<T>(circles: Vec<T>, events_of: fn(&T) -> usize) -> impl Iterator<Item = Vec<T>> {
    let mut circles = circles.into_iter();
    std::iter::from_fn(move || {
        let mut chunk = Vec::new();
        let mut events = 0;
        while chunk.len() < CIRCLES_AT_ONCE
            && events < EVENTS_AT_ONCE
            && let Some(circle) = circles.next()
        {
            events += events_of(&circle);
            chunk.push(circle);
        }
        (!chunk.is_empty()).then_some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_twelve_circles_or_sixty_events_of_them() {
        let sizes = |circles: Vec<usize>| -> Vec<usize> {
            chunks(circles, |events| *events)
                .map(|it| it.len())
                .collect()
        };
        assert!(sizes(vec![]).is_empty());
        assert_eq!(sizes(vec![1; 25]), [12, 12, 1]);
        assert_eq!(sizes(vec![30; 5]), [2, 2, 1]);
        assert_eq!(sizes(vec![29, 30, 1, 1, 900, 1]), [3, 2, 1]);
    }
}
