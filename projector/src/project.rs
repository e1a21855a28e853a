//! The projector, and one step of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use event_store::{Damage, EventStore, LogEntry, StoreError};
use futures_util::future::{join_all, try_join_all};
use quick_cache::unsync::Cache;
use read_model::{
    Batch, Checkpoint, Layout, Outcome, Parked, ParkedEvent, Partition, Phase, Standing,
};
use shared_domain::{CircleId, EventId, Sequence};
use tokio_util::task::AbortOnDropHandle;

use crate::fold::{Folded, Known, fold};
use crate::page::{Page, Reading};

/// How many circles a projector remembers, to be spared a question about them.
const REMEMBERED: usize = 131_072;

/// How often a page is folded anew because circles in it had to be mended.
const ATTEMPTS: usize = 4;

/// How many steps are careful after one that was not what was taken for granted.
const CAREFUL: u32 = 16;

/// How long a projector that has nothing to write trusts that Redis lost nothing.
const LOOK_AFTER: Duration = Duration::from_millis(100);

/// How a projector works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who it is, among all projectors.
    pub holder: String,
    /// How many events a step applies at most.
    pub batch: u32,
    /// Whether read models that are built are put to use at the end of the log.
    pub completes: bool,
}

/// Applies the log to the read models, page by page.
pub struct Projector {
    pub(crate) log: EventStore,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) layout: Layout,
    pub(crate) options: Options,
    pub(crate) counts: Counts,
    known: Cache<CircleId, Known>,
    /// Where the read models are, as far as we know. Redis decides when something is written.
    /// None where that has to be asked.
    pub(crate) state: Option<State>,
    /// The page that is read while another one is applied.
    ahead: Option<Reading>,
    /// The page that is written while the next one is folded, and how many events it has.
    in_flight: Option<(AbortOnDropHandle<Result<bool, read_model::Error>>, usize)>,
    /// How many events were written since a step told of any.
    written: usize,
    /// So many steps wait for their own writes, as one did not become of that was taken for
    /// granted.
    careful: u32,
    /// When the read models were last looked at without a write.
    seen_there: Instant,
}

/// What the projector knows of the read models.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) partitions: Vec<PartitionState>,
    pub(crate) holes: BTreeMap<Sequence, Sequence>,
    /// Changes up to here are not kept by a read model that is built.
    pub(crate) entries_after: Sequence,
}

/// What the projector knows of a partition.
#[derive(Debug)]
pub(crate) struct PartitionState {
    pub(crate) standing: Standing,
    pub(crate) parked: BTreeMap<CircleId, ParkedEvent>,
    /// What of a new read model is still to be made.
    pub(crate) build: Build,
}

/// How far the building of a partition is. A build that was interrupted begins with histories
/// again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// Only histories are written.
    Histories,
    /// Documents and indexes are made of the histories, and this is the cursor.
    Finishing(String),
    /// All is written with every event, as in a read model that is in use.
    Whole,
}

/// How often something unusual happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Circles that were found to be shown wrongly.
    pub divergent: u64,
    /// Circles that were folded anew and differed then.
    pub repaired: u64,
    /// The log lost its tail.
    pub rewinds: u64,
    /// Read models were built from nothing.
    pub builds: u64,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It applied so many events; there may be more.
    Applied {
        /// How many.
        events: usize,
        /// The read models' new position.
        checkpoint: Sequence,
    },
    /// It made a part of new read models, which applied no event.
    Finishing,
    /// There was nothing new.
    Idle {
        /// The read models' position.
        checkpoint: Sequence,
    },
    /// The log has lost the events behind this one; the read models are back there.
    Rewound {
        /// The read models' new position.
        common: Sequence,
    },
    /// The read models were elsewhere than we thought: another projector is at work, or Redis
    /// has lost something. Nothing was applied; the next step goes on from there.
    Superseded,
}

/// Why a step did nothing.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The log could not be read, or is damaged.
    #[error(transparent)]
    Log(#[from] StoreError),

    /// The read models could not be written, or are damaged.
    #[error("the read model failed")]
    ReadModel(#[from] read_model::Error),
}

impl StepError {
    /// Whether it passes by itself. What does not is damage, which has to be mended by hand.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Log(error) => error.is_transient(),
            Self::ReadModel(error) => error.is_transient(),
        }
    }

    /// The hole in the log that is the reason, if that is it: the last event before, the first
    /// one behind.
    #[must_use]
    pub fn hole(&self) -> Option<(Sequence, Sequence)> {
        match self {
            Self::Log(StoreError::Damaged(Damage::Hole { after, found })) => Some((*after, *found)),
            _ => None,
        }
    }
}

impl Projector {
    /// A projector of `log` onto `partitions`, which are spread by `layout`.
    #[must_use]
    pub fn new(
        log: EventStore,
        partitions: Vec<Partition>,
        layout: Layout,
        options: Options,
    ) -> Self {
        Self {
            log,
            partitions,
            layout,
            options,
            counts: Counts::default(),
            known: Cache::new(REMEMBERED),
            state: None,
            ahead: None,
            in_flight: None,
            written: 0,
            careful: 0,
            seen_there: Instant::now(),
        }
    }

    /// How often something unusual happened.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether some of the read models serve no query yet; not known before the first step.
    #[must_use]
    pub fn is_building(&self) -> bool {
        let building = |partition: &PartitionState| partition.standing.phase == Phase::Building;
        self.state
            .as_ref()
            .is_some_and(|state| state.partitions.iter().any(building))
    }

    /// Whether everything is written with every event, so that only events are missing.
    pub(crate) fn is_whole(&self) -> bool {
        let whole = |partition: &PartitionState| partition.build == Build::Whole;
        self.state
            .as_ref()
            .is_some_and(|state| state.partitions.iter().all(whole))
    }

    /// How many circles are parked, as far as is known.
    #[must_use]
    pub fn parked(&self) -> usize {
        self.state.as_ref().map_or(0, |state| {
            state
                .partitions
                .iter()
                .map(|partition| partition.parked.len())
                .sum()
        })
    }

    /// Forgets what it knows, as others may have written since.
    pub fn forget(&mut self) {
        self.state = None;
        self.ahead = None;
        self.in_flight = None;
        self.known.clear();
    }

    /// Reads one page and applies it.
    ///
    /// It may be dropped at any point, or its process killed: of each partition a page is applied
    /// together with its checkpoint or not at all.
    ///
    /// # Errors
    ///
    /// [`StepError`]. Nothing was applied, or, after [`StepError::ReadModel`], perhaps all of
    /// the page; the next step finds out.
    pub async fn step(&mut self) -> Result<Step, StepError> {
        // Forgotten until the step has ended well, so that after an error Redis is asked again.
        let found = match self.state.take() {
            Some(state) => Some(state),
            None => self.find().await?,
        };
        let Some(mut state) = found else {
            self.forget();
            return Ok(Step::Superseded);
        };
        let step = self.step_from(&mut state).await;
        match step {
            Ok(Step::Superseded) | Err(_) => self.forget(),
            Ok(_) => self.state = Some(state),
        }
        step
    }

    async fn step_from(&mut self, state: &mut State) -> Result<Step, StepError> {
        if state.is_finishing() {
            return self.finish(state).await;
        }
        let from = state.furthest_behind();
        let reading = match self.ahead.take() {
            Some(reading) if reading.from == from => reading,
            _ => self.read(from, state),
        };
        let page = match reading.page().await {
            Ok(Page::Behind(page)) => page,
            Ok(Page::OtherLog) if self.settle().await? => return self.rewind(state).await,
            Ok(Page::OtherLog) => return Ok(Step::Superseded),
            Err(error) => {
                // What comes before a hole is written all the same.
                self.settle().await?;
                return Err(error.into());
            }
        };
        // While the log has more, the next page is read while this one is folded and written. At
        // its end that would only read too early.
        let is_full = page.len() >= self.options.batch as usize;
        if let (true, Some(last)) = (is_full, page.last()) {
            let until = Checkpoint::at(last.sequence, last.id);
            self.ahead = Some(self.read(until, state));
            if let Some(step) = self.apply_ahead(state, from, until, &page).await? {
                return Ok(step);
            }
        }
        if !self.settle().await? || !self.apply(state, from, &page, !is_full).await? {
            return Ok(Step::Superseded);
        }
        let checkpoint = state.furthest_behind().sequence;
        self.written += page.len();
        match std::mem::take(&mut self.written) {
            0 if !self.is_there(state).await? => Ok(Step::Superseded),
            0 => Ok(Step::Idle { checkpoint }),
            events => Ok(Step::Applied { events, checkpoint }),
        }
    }

    /// Folds a page while the one before is still written, then lets it be written while the next
    /// one is folded; tells of the one before. Does nothing where something is not as usual.
    async fn apply_ahead(
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
        if !self.settle().await? {
            return Ok(Some(Step::Superseded));
        }
        let task = tokio::spawn(async move {
            let applied = try_join_all(writes).await?;
            Ok(applied.into_iter().all(|applied| applied))
        });
        self.in_flight = Some((AbortOnDropHandle::new(task), page.len()));
        Ok(Some(Step::Applied {
            events: std::mem::take(&mut self.written),
            checkpoint: from.sequence,
        }))
    }

    /// Waits for what is being written. Answers whether that became what was taken for granted.
    pub(crate) async fn settle(&mut self) -> Result<bool, StepError> {
        let Some((task, events)) = self.in_flight.take() else {
            return Ok(true);
        };
        let settled = match task.await {
            Ok(settled) => settled,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends.
                Err(_) => Ok(false),
            },
        };
        match settled {
            Ok(true) => self.written += events,
            Ok(false) | Err(_) => self.careful = CAREFUL,
        }
        Ok(settled?)
    }

    /// Whether the read models still are where they were, which matters when nothing is written
    /// for long: Redis may have lost something.
    async fn is_there(&mut self, state: &State) -> Result<bool, StepError> {
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

    fn read(&self, from: Checkpoint, state: &State) -> Reading {
        Reading::begin(
            self.log.clone(),
            from,
            self.options.batch,
            state.holes.clone(),
        )
    }

    /// Applies a page to every partition. At the end of the log what is built goes on to its next
    /// stage. Answers whether the read models were where we thought.
    async fn apply(
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
                if !self.mend(&mut state.partitions[n], n, &list).await? {
                    return Ok(false);
                }
                certain.extend(ids);
            }
        }
        // Somebody else writes what we mend.
        Ok(false)
    }

    /// Folds the part of the page that each partition has not applied yet.
    async fn fold(
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
    async fn know(
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
    async fn write(
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
        // What is built is next made whole, once nothing is missing.
        for partition in state.partitions.iter_mut().filter(|_| is_end) {
            if partition.standing.phase == Phase::Building && partition.build == Build::Histories {
                partition.build = Build::Finishing("0".to_owned());
            }
        }
        Ok(Some(unfit))
    }

    /// Makes documents and indexes of a read model that is built, some at a time.
    async fn finish(&mut self, state: &mut State) -> Result<Step, StepError> {
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
    async fn matches(&self, state: &State) -> Result<bool, StepError> {
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

    pub(crate) fn remember(&mut self, id: CircleId, known: Known) {
        self.known.insert(id, known);
    }

    pub(crate) fn forget_circle(&mut self, id: CircleId) {
        self.known.remove(&id);
    }
}

impl PartitionState {
    /// The batch that a folded page comes to, and the circles as they are after it.
    fn batch(
        &self,
        folded: Folded,
        until: Checkpoint,
        completes: bool,
        entries_after: Sequence,
    ) -> (Batch, Vec<(CircleId, Known)>) {
        let building = self.standing.phase == Phase::Building;
        let mut batch = Batch {
            completes: completes && building && self.build == Build::Whole,
            bare: self.build == Build::Histories,
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
    fn applied(&mut self, batch: Batch) {
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
    /// Whether documents and indexes are being made of histories.
    fn is_finishing(&self) -> bool {
        let finishing = |state: &PartitionState| matches!(state.build, Build::Finishing(_));
        self.partitions.iter().any(finishing)
    }

    /// The checkpoint of the partition that has the furthest to go.
    pub(crate) fn furthest_behind(&self) -> Checkpoint {
        self.partitions
            .iter()
            .map(|partition| partition.standing.checkpoint)
            .min_by_key(|checkpoint| checkpoint.sequence)
            .unwrap_or(Checkpoint::EMPTY)
    }
}
