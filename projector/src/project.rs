//! The projector, and one step of it.

use std::time::{Instant, SystemTime};

use event_store::{Damage, EventStore, LogEntry, StoreError};
use quick_cache::unsync::Cache;
use read_model::{Checkpoint, Layout, Partition, Phase};
use service_kit::trace::WorkSpan;
use shared_domain::{CircleId, Sequence};

use crate::apply::InFlight;
use crate::fold::Known;
use crate::page::{Page, Pages};
use crate::state::{PartitionState, State};

/// How many circles a projector remembers, to be spared a question about them.
const REMEMBERED: usize = 131_072;

/// What a projector gathers in memory, in events.
pub(crate) const IN_MEMORY: u64 = 1_000_000;

/// How a projector works.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who it is, among all projectors.
    pub holder: String,
    /// How many events are read at once at the end of the log, and the most that a step applies,
    /// up to 100.
    pub batch: u32,
    /// Whether read models that are built are put to use at the end of the log.
    pub completes: bool,
    /// The largest log, in events, whose histories are gathered in memory for new read models,
    /// which takes about 300 bytes for each. A larger log takes more time, but not more memory.
    pub in_memory: u64,
}

/// Applies the log to the read models, page by page.
pub struct Projector {
    pub(crate) log: EventStore,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) layout: Layout,
    pub(crate) options: Options,
    pub(crate) counts: Counts,
    pub(crate) known: Cache<CircleId, Known>,
    /// Where the read models are, as far as we know. Redis decides when something is written.
    /// None where that has to be asked.
    pub(crate) state: Option<State>,
    pages: Pages,
    /// The pages that are written while the next one is folded.
    pub(crate) in_flight: InFlight,
    /// How many events were written since a step told of any.
    pub(crate) written: usize,
    /// The last of them.
    pub(crate) written_until: Sequence,
    /// So many steps wait for their own writes, as one did not become of that was taken for
    /// granted.
    pub(crate) careful: u32,
    /// When the read models were last looked at without a write.
    pub(crate) seen_there: Instant,
    /// A moment of which all events are applied, if it has been at the end of the log.
    as_of: Option<SystemTime>,
}

/// How often something unusual happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Circles that were found to be shown wrongly; not those that were parked, or that the log
    /// lost an event of.
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
    /// It wrote so many events of some circles into new read models, ahead of their checkpoint.
    Filled {
        /// How many.
        events: usize,
    },
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
    /// The read models were not as we thought: another projector is at work, Redis or the log has
    /// lost something, or a circle was shown wrongly. The next step goes on from what there is.
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
        let pages = Pages::new(log.clone());
        Self {
            log,
            partitions,
            layout,
            options,
            counts: Counts::default(),
            known: Cache::new(REMEMBERED),
            state: None,
            pages,
            in_flight: InFlight::default(),
            written: 0,
            written_until: Sequence::ZERO,
            careful: 0,
            seen_there: Instant::now(),
            as_of: None,
        }
    }

    /// A moment of which all events are applied, if it has been at the end of the log.
    #[must_use]
    pub fn as_of(&self) -> Option<SystemTime> {
        self.as_of
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

    /// Whether new read models are filled, circle by circle, which goes on after an outage of the
    /// log.
    pub(crate) fn is_filling(&self) -> bool {
        self.state
            .as_ref()
            .is_some_and(|state| state.fill.is_some())
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
        self.as_of = None;
        self.pages.clear();
        self.in_flight = InFlight::default();
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
            // An outage of the log while a fill waits for it; nothing was tried with Redis.
            Err(_) if state.fill.is_some() => self.state = Some(state),
            Ok(Step::Superseded) | Err(_) => self.forget(),
            Ok(_) => self.state = Some(state),
        }
        step
    }

    async fn step_from(&mut self, state: &mut State) -> Result<Step, StepError> {
        if let Some(fill) = state.fill.take() {
            return self.fill(state, fill).await;
        }
        let from = state.furthest_behind();
        let batch = self.options.batch;
        let begun = SystemTime::now();
        let (page, more) = match self.pages.next(from, batch, &state.holes).await {
            Ok((Page::Behind(page), more)) => (page, more),
            Ok((Page::OtherLog, _)) if self.settle().await? => return self.rewind(state).await,
            Ok((Page::OtherLog, _)) => return Ok(Step::Superseded),
            Err(error) => {
                // What comes before a hole is written all the same.
                self.settle().await?;
                return Err(error.into());
            }
        };
        let _span = apply_span(begun, &page);
        if let (true, Some(last)) = (more, page.last()) {
            let until = Checkpoint::at(last.sequence, last.id);
            if let Some(step) = self.apply_ahead(state, from, until, &page).await? {
                return Ok(step);
            }
        }
        if !self.settle().await? || !self.apply(state, from, &page, !more).await? {
            return Ok(Step::Superseded);
        }
        if !more {
            self.as_of = Some(self.pages.as_of());
        }
        let checkpoint = state.furthest_behind().sequence;
        self.written += page.len();
        match std::mem::take(&mut self.written) {
            0 if !self.is_there(state).await? => Ok(Step::Superseded),
            0 => Ok(Step::Idle { checkpoint }),
            events => Ok(Step::Applied { events, checkpoint }),
        }
    }

    pub(crate) fn remember(&mut self, id: CircleId, known: Known) {
        self.known.insert(id, known);
    }
}

/// Links to the commands that made the events of a page.
fn apply_span(begun: SystemTime, page: &[LogEntry]) -> Option<WorkSpan> {
    let causes = page
        .iter()
        .map(|entry| entry.metadata.traceparent.as_deref());
    let mut span = WorkSpan::begin("apply", begun, causes.flatten())?;
    let (first, last) = (page.first()?.sequence, page.last()?.sequence);
    for (key, sequence) in [
        ("circles.first_sequence", first),
        ("circles.last_sequence", last),
    ] {
        span.record(key, i64::try_from(sequence.get()).unwrap_or(i64::MAX));
    }
    Some(span)
}

#[cfg(test)]
#[path = "project_tests.rs"]
mod tests;
