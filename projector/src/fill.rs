//! The beginning of new read models: circle by circle, each with its whole history at once, up to
//! the end that the log had then. That is half the work of going through it event by event.

use std::collections::BTreeMap;
use std::time::Duration;

use event_store::{EventStore, LogEntry, StoreError};
use read_model::{Batch, ChangeEntry, ChangePosition, Checkpoint, Repair};
use service_kit::program::chain;
use shared_domain::{CircleId, Sequence};
use tokio_util::task::AbortOnDropHandle;

use crate::fold::{Known, refold};
use crate::project::{Projector, Step, StepError};
use crate::state::State;
use crate::task;

/// How long after an error of the log circles are read again.
const RETRY: Duration = Duration::from_millis(200);

/// How many circles one statement reads, while those before are written. Several statements at the
/// same time, or more circles, would take the processor from queries for longer at a stretch.
const READ_AHEAD: u32 = 300;

/// How many circles are written in one command: Redis does nothing else meanwhile.
const WRITTEN_AT_ONCE: usize = 10;

/// How many changes are told in one command.
const TOLD_AT_ONCE: usize = 100;

/// How far a fill is.
#[derive(Debug)]
pub(crate) struct Fill {
    /// The end of the log when it began.
    until: Checkpoint,
    /// The changes that are kept, in no order.
    kept: Vec<ChangeEntry>,
    /// The last circle that is written.
    after: Option<CircleId>,
    /// The circles that are read while others are written.
    ahead: AbortOnDropHandle<Result<Vec<Filled>, StoreError>>,
}

/// A circle that is read and folded.
#[derive(Debug)]
struct Filled {
    id: CircleId,
    circle: Repair,
    known: Known,
    changes: Vec<ChangeEntry>,
}

impl Projector {
    /// Begins to fill partitions that are built and empty, if there are any, and if the log has
    /// no hole, at which only going through it event by event can halt.
    pub(crate) async fn begin_fill(&self, state: &State) -> Result<Option<Fill>, StepError> {
        let head = self.log.head().await?;
        let Some(id) = self.event_at(head).await? else {
            return Ok(None);
        };
        let missing = missing(&state.holes, head);
        if self.log.count(head).await? != head.get().saturating_sub(missing) {
            tracing::warn!("the log has a hole; it is gone through event by event");
            return Ok(None);
        }
        Ok(Some(Fill {
            until: Checkpoint::at(head, id),
            kept: Vec::new(),
            after: None,
            ahead: self.read_circles(None, head, state.entries_after),
        }))
    }

    /// Reads and folds the next circles in the background.
    fn read_circles(
        &self,
        after: Option<CircleId>,
        until: Sequence,
        entries_after: Sequence,
    ) -> AbortOnDropHandle<Result<Vec<Filled>, StoreError>> {
        let log = self.log.clone();
        task::begin(read_circles(log, after, until, entries_after))
    }

    /// Writes the circles that were read, while the next ones are. After the last one, the
    /// partitions are where the log ended when this began.
    pub(crate) async fn fill(&mut self, state: &mut State, fill: Fill) -> Result<Step, StepError> {
        let Fill {
            until,
            mut kept,
            after,
            ahead,
        } = fill;
        let circles = match task::end(ahead).await {
            Ok(circles) => circles,
            Err(error) if error.is_transient() => {
                // All that is written would be lost by beginning anew.
                tracing::warn!(error = %chain(&error), "trying again");
                tokio::time::sleep(RETRY).await;
                let ahead = self.read_circles(after, until.sequence, state.entries_after);
                state.fill = Some(Fill {
                    until,
                    kept,
                    after,
                    ahead,
                });
                return Ok(Step::Filled { events: 0 });
            }
            Err(error) => return Err(error.into()),
        };
        let Some(last) = circles.last() else {
            return self.end_fill(state, until, kept).await;
        };
        let after = Some(last.id);
        let ahead = self.read_circles(after, until.sequence, state.entries_after);
        let mut events = 0;
        let mut writes: Vec<Vec<Repair>> = vec![Vec::new(); state.partitions.len()];
        for Filled {
            id,
            circle,
            known,
            changes,
        } in circles
        {
            let n = self.layout.partition_of(id);
            let partition = &mut state.partitions[n];
            events += circle.history.len();
            if !partition.standing.is_empty()
                || (circle.version.is_none() && circle.parked.is_none())
            {
                continue;
            }
            match &circle.parked {
                Some(event) => drop(partition.parked.insert(id, event.clone())),
                None => self.remember(id, known),
            }
            kept.extend(changes);
            writes[n].push(circle);
        }
        for ((partition, state), circles) in
            self.partitions.iter().zip(&state.partitions).zip(writes)
        {
            for circles in circles.chunks(WRITTEN_AT_ONCE) {
                if !partition.fill(&state.standing, circles).await? {
                    return Ok(Step::Superseded);
                }
            }
        }
        state.fill = Some(Fill {
            until,
            kept,
            after,
            ahead,
        });
        Ok(Step::Filled { events })
    }

    async fn end_fill(
        &mut self,
        state: &mut State,
        until: Checkpoint,
        mut kept: Vec<ChangeEntry>,
    ) -> Result<Step, StepError> {
        kept.sort_unstable_by_key(|change| change.position);
        let entries_after = Some(state.entries_after).filter(|after| *after > Sequence::ZERO);
        for (n, (partition, state)) in self
            .partitions
            .iter()
            .zip(&mut state.partitions)
            .enumerate()
        {
            if !state.standing.is_empty() {
                continue;
            }
            let here = |change: &&ChangeEntry| self.layout.partition_of(change.circle_id) == n;
            let entries: Vec<ChangeEntry> = kept.iter().filter(here).cloned().collect();
            let chunks = entries.chunks(TOLD_AT_ONCE).map(|entries| Batch {
                entries: entries.to_vec(),
                ..Batch::new(Checkpoint::EMPTY)
            });
            let end = Batch {
                entries_after,
                ..Batch::new(until)
            };
            for batch in chunks.chain([end]) {
                match partition.apply(&state.standing, &batch).await? {
                    read_model::Outcome::Applied(standing) => state.standing = standing,
                    _ => return Ok(Step::Superseded),
                }
            }
        }
        Ok(Step::Filled { events: 0 })
    }
}

/// How many sequences up to `head` are in holes.
fn missing(holes: &BTreeMap<Sequence, Sequence>, head: Sequence) -> u64 {
    let holes = holes.iter().filter(|(_, next)| **next <= head);
    holes
        .map(|(after, next)| next.get().saturating_sub(after.next().get()))
        .sum()
}

async fn read_circles(
    log: EventStore,
    after: Option<CircleId>,
    until: Sequence,
    entries_after: Sequence,
) -> Result<Vec<Filled>, StoreError> {
    let ids = log.circle_ids(after, READ_AHEAD).await?;
    let mut histories: BTreeMap<CircleId, Vec<LogEntry>> =
        ids.iter().map(|id| (*id, Vec::new())).collect();
    for entry in log.histories(&ids, until).await? {
        histories.entry(entry.circle_id).or_default().push(entry);
    }
    let circles = histories.into_iter();
    Ok(circles
        .map(|(id, events)| Filled::fold(id, &events, entries_after))
        .collect())
}

impl Filled {
    fn fold(id: CircleId, events: &[LogEntry], entries_after: Sequence) -> Self {
        let (circle, known) = refold(id, events);
        let history = circle.history.iter().zip(events);
        let changes = history
            .filter(|(entry, _)| entry.sequence > entries_after)
            .map(|(entry, event)| ChangeEntry {
                position: ChangePosition::of(entry.sequence),
                kind: Some(entry.kind),
                circle_id: id,
                version: Some(entry.version),
                event_id: Some(event.id),
                document: entry.document(id),
            });
        Self {
            id,
            changes: changes.collect(),
            circle,
            known,
        }
    }
}
