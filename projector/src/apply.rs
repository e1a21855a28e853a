//! Folding a page and writing it, with what is known of its circles.

use std::collections::{BTreeSet, HashMap, VecDeque};

use event_store::LogEntry;
use futures_util::future::{join_all, try_join_all};
use read_model::{Checkpoint, Outcome};
use shared_domain::{CircleId, Sequence};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use crate::fold::{Folded, Known, fold};
use crate::project::{Projector, Step, StepError};
use crate::state::{PartitionState, State};
use crate::task;

/// How often a page is folded anew because circles in it had to be mended.
const ATTEMPTS: usize = 4;

/// How many steps are careful after one that was not what was taken for granted.
const CAREFUL: u32 = 16;

/// How many pages are written, or ready to be, while the next one is folded.
const AHEAD: usize = 3;

/// Pages on their way, each of which is sent once the one before is written.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    pages: VecDeque<Flight>,
    /// Tells of the last one. It tells nothing, but ends, where that was not written.
    last: Option<oneshot::Receiver<()>>,
}

/// A page on its way.
#[derive(Debug)]
struct Flight {
    task: AbortOnDropHandle<Result<bool, read_model::Error>>,
    events: usize,
    until: Sequence,
}

impl InFlight {
    /// Sends a page when all before it are written.
    fn send(
        &mut self,
        writes: impl Future<Output = Result<bool, read_model::Error>> + Send + 'static,
        events: usize,
        until: Sequence,
    ) {
        let (tell, told) = oneshot::channel();
        let before = self.last.replace(told);
        let task = task::begin(async move {
            if let Some(before) = before
                && before.await.is_err()
            {
                return Ok(false);
            }
            let written = writes.await?;
            if written {
                // Unless nothing comes after it.
                let _ = tell.send(());
            }
            Ok(written)
        });
        self.pages.push_back(Flight {
            task,
            events,
            until,
        });
    }
}

impl Projector {
    /// Applies a page to every partition. At the end of the log what is built is
    /// put to use. Answers whether the read models were where we thought.
    pub(crate) async fn apply(
        &mut self,
        state: &mut State,
        from: Checkpoint,
        page: &[LogEntry],
        is_end: bool,
    ) -> Result<bool, StepError> {
        let until = page
            .last()
            .map_or(from, |last| Checkpoint::at(last.sequence, last.id));
        let mut certain = BTreeSet::new();
        for _ in 0..ATTEMPTS {
            let folded = self.fold(state, page, &certain).await?;
            let mut to_mend: Vec<BTreeSet<CircleId>> = folded
                .iter()
                .map(|folded| folded.mismatches.clone())
                .collect();
            if to_mend.iter().all(BTreeSet::is_empty) {
                to_mend = match self.write(state, folded, until, is_end).await? {
                    Some(unfit) => unfit,
                    None => return Ok(false),
                };
            }
            if to_mend.iter().all(BTreeSet::is_empty) {
                return Ok(true);
            }
            for (n, ids) in to_mend.into_iter().enumerate() {
                let list: Vec<CircleId> = ids.iter().copied().collect();
                tracing::warn!(
                    circles = list.len(),
                    first = ?list.first().map(ToString::to_string),
                    "not the state before the next event; folding anew"
                );
                match self.mend(&mut state.partitions[n], n, &list).await? {
                    Some(changed) => self.counts.divergent += changed as u64,
                    None => return Ok(false),
                }
                certain.extend(ids);
            }
        }
        // Somebody else writes what we mend.
        Ok(false)
    }

    /// Folds a page while those before are still written, and lets it be written while the next
    /// ones are folded; tells of one that is written. Does nothing where something is not as usual.
    pub(crate) async fn apply_ahead(
        &mut self,
        state: &mut State,
        from: Checkpoint,
        until: Checkpoint,
        page: &[LogEntry],
    ) -> Result<Option<Step>, StepError> {
        if self.careful > 0 {
            self.careful -= 1;
            return Ok(None);
        }
        let folded = self.fold(state, page, &BTreeSet::new()).await?;
        if folded.iter().any(|folded| !folded.mismatches.is_empty()) {
            return Ok(None);
        }
        let mut writes = Vec::new();
        let entries_after = state.entries_after;
        for ((state, partition), folded) in state
            .partitions
            .iter_mut()
            .zip(&self.partitions)
            .zip(folded)
        {
            let (batch, known) = state.batch(folded, until, false, entries_after);
            if until.sequence <= state.standing.checkpoint.sequence {
                continue;
            }
            let prepared = partition.prepare(&state.standing, &batch);
            let partition = partition.clone();
            writes.push(async move {
                let outcome = partition.write(prepared).await?;
                Ok::<_, read_model::Error>(matches!(outcome, Outcome::Applied(_)))
            });
            state.applied(batch);
            for (id, circle) in known {
                self.known.insert(id, circle);
            }
        }
        if self.in_flight.pages.is_empty() {
            self.written_until = from.sequence;
        }
        let writes = async move {
            let applied = try_join_all(writes).await?;
            Ok(applied.into_iter().all(|applied| applied))
        };
        if !self
            .write_ahead(writes, page.len(), until.sequence, AHEAD)
            .await?
        {
            return Ok(Some(Step::Superseded));
        }
        Ok(Some(Step::Applied {
            events: std::mem::take(&mut self.written),
            checkpoint: self.written_until,
        }))
    }

    /// Lets something be written once all before it is, and waits while `most` are on their way.
    /// Answers whether what was written meanwhile became what was taken for granted.
    pub(crate) async fn write_ahead(
        &mut self,
        writes: impl Future<Output = Result<bool, read_model::Error>> + Send + 'static,
        events: usize,
        until: Sequence,
        most: usize,
    ) -> Result<bool, StepError> {
        while self.in_flight.pages.len() >= most {
            if !self.settle_first().await? {
                return Ok(false);
            }
        }
        self.in_flight.send(writes, events, until);
        Ok(true)
    }

    /// Waits for all that is being written. Answers whether it became what was taken for granted.
    pub(crate) async fn settle(&mut self) -> Result<bool, StepError> {
        while !self.in_flight.pages.is_empty() {
            if !self.settle_first().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn settle_first(&mut self) -> Result<bool, StepError> {
        let Some(flight) = self.in_flight.pages.pop_front() else {
            return Ok(true);
        };
        let settled = task::end(flight.task).await;
        match settled {
            Ok(true) => {
                self.written += flight.events;
                self.written_until = flight.until;
            }
            Ok(false) | Err(_) => self.careful = CAREFUL,
        }
        Ok(settled?)
    }

    /// Folds the part of the page that each partition has not applied yet.
    pub(crate) async fn fold(
        &mut self,
        state: &State,
        page: &[LogEntry],
        certain: &BTreeSet<CircleId>,
    ) -> Result<Vec<Folded>, StepError> {
        let mut all = Vec::with_capacity(self.partitions.len());
        for (n, partition) in state.partitions.iter().enumerate() {
            let events: Vec<&LogEntry> = page
                .iter()
                .filter(|entry| {
                    entry.sequence > partition.standing.checkpoint.sequence
                        && self.layout.partition_of(entry.circle_id) == n
                })
                .collect();
            let known = self.know(n, &events, partition, certain).await?;
            all.push(fold(events, &known, &partition.parked, certain));
        }
        Ok(all)
    }

    /// What is known of the circles of some events, from memory, else from Redis.
    pub(crate) async fn know(
        &mut self,
        n: usize,
        events: &[&LogEntry],
        partition: &PartitionState,
        certain: &BTreeSet<CircleId>,
    ) -> Result<HashMap<CircleId, Known>, StepError> {
        let mut known = HashMap::with_capacity(events.len());
        let mut unknown = BTreeSet::new();
        for event in events {
            let id = event.circle_id;
            if known.contains_key(&id) || partition.parked.contains_key(&id) {
                continue;
            }
            if let Some(circle) = self.known.get(&id) {
                known.insert(id, circle.clone());
            } else if event.version.get() == 1 && !certain.contains(&id) {
                // Nothing can come before it; whether it is so is checked on writing.
                known.insert(id, Known::default());
            } else {
                unknown.insert(id);
            }
        }
        let unknown: Vec<CircleId> = unknown.into_iter().collect();
        if !unknown.is_empty() {
            let latest = self.partitions[n].latest(&unknown).await?;
            for (id, latest) in unknown.into_iter().zip(latest) {
                known.insert(id, Known::from_history(latest));
            }
        }
        Ok(known)
    }

    /// Writes what was folded, to all partitions at once. Answers which circles are not as
    /// thought, per partition, or none where a partition is elsewhere.
    pub(crate) async fn write(
        &mut self,
        state: &mut State,
        folded: Vec<Folded>,
        until: Checkpoint,
        is_end: bool,
    ) -> Result<Option<Vec<BTreeSet<CircleId>>>, StepError> {
        let completes = is_end && self.options.completes;
        let entries_after = state.entries_after;
        let writes = state
            .partitions
            .iter_mut()
            .zip(&self.partitions)
            .zip(folded)
            .map(async |((state, partition), folded)| {
                let (batch, known) = state.batch(folded, until, completes, entries_after);
                if until.sequence <= state.standing.checkpoint.sequence && !batch.completes {
                    return Ok((BTreeSet::new(), Vec::new()));
                }
                match partition.apply(&state.standing, &batch).await? {
                    Outcome::Applied(_) => {
                        state.applied(batch);
                        Ok((BTreeSet::new(), known))
                    }
                    Outcome::Unfit(ids) => Ok((ids.into_iter().collect(), Vec::new())),
                    Outcome::Superseded => Err(None),
                }
            });
        let mut unfit = Vec::new();
        for result in join_all(writes).await {
            match result {
                Ok((ids, known)) => {
                    for (id, circle) in known {
                        self.known.insert(id, circle);
                    }
                    unfit.push(ids);
                }
                Err(None) => return Ok(None),
                Err(Some(error)) => return Err(StepError::ReadModel(error)),
            }
        }
        Ok(Some(unfit))
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
