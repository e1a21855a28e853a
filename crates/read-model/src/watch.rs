//! One watch of the changes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use shared_domain::{CircleId, Sequence};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use crate::change::{ChangeEntry, ChangePosition};
use crate::error::Error;
use crate::feed::{Counted, Shared};
use crate::lanes::{Lanes, Step};
use crate::ring::{Gone, Ring};

/// How many entries a watch takes at a time.
const TAKEN: usize = 64;

/// How many entries one command reads for a watch that lies further back.
const COUNT: u32 = 256;

/// How long one that lies further back waits before it tries again.
const PAUSE: Duration = Duration::from_millis(100);

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A change of a circle.
    Change(Arc<ChangeEntry>),
    /// Every change up to here was told.
    Progress(Sequence),
}

/// Why a watch ends.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WatchError {
    /// Changes after `from` are not kept any longer: list again.
    #[error("the changes after event {from} are not kept any longer")]
    NotKept {
        /// Where the watch should have gone on.
        from: Sequence,
    },
    /// It did not take the changes fast enough.
    #[error("the watch was too slow")]
    TooSlow {
        /// Where another watch can go on.
        resume_from: Sequence,
    },
    /// The changes can't be read.
    #[error(transparent)]
    Read(#[from] Error),
}

/// One watch. An outage is waited out.
pub struct Watch {
    counted: Counted,
    news: watch::Receiver<()>,
    /// Sorted; all where there are none.
    circles: Box<[CircleId]>,
    source: Source,
    /// What was taken and not told yet.
    ready: VecDeque<Arc<ChangeEntry>>,
    /// Everything up to here is told once nothing is ready.
    reached: Sequence,
    /// Everything up to here is told.
    sequence: Sequence,
    /// When to say something. None at the beginning: at once.
    silent_until: Option<Instant>,
}

/// Where the changes come from.
enum Source {
    Ring {
        place: u64,
        backs: u64,
        /// What was told of each partition, as long as the ring has not come so
        /// far.
        told: Option<Box<[ChangePosition]>>,
    },
    /// What lies further back, until the ring is reached.
    Lanes(Box<Lanes>),
}

/// Why there is nothing to tell now.
enum Idle {
    /// Until the ring has news.
    News,
    /// For a while.
    Pause,
}

impl Watch {
    pub(crate) fn new(
        counted: Counted,
        from: Option<Sequence>,
        mut circles: Vec<CircleId>,
    ) -> Result<Self, WatchError> {
        circles.sort_unstable();
        let shared = &counted.0;
        let news = shared.news();
        let (source, sequence) = begin(shared, from)?;
        Ok(Self {
            counted,
            news,
            circles: circles.into(),
            source,
            ready: VecDeque::new(),
            reached: sequence,
            sequence,
            silent_until: None,
        })
    }

    /// The next thing to tell: first of all where it begins. May be dropped at
    /// any time, and called again.
    ///
    /// # Errors
    ///
    /// [`WatchError`], with which the watch is over.
    pub async fn next(&mut self) -> Result<Told, WatchError> {
        let interval = self.counted.0.options.progress;
        let Some(silent_until) = self.silent_until else {
            self.silent_until = Some(Instant::now() + interval);
            return Ok(Told::Progress(self.sequence));
        };
        let mut wake = silent_until;
        loop {
            if let Some(entry) = self.ready.pop_front() {
                self.silent_until = Some(Instant::now() + interval);
                self.sequence = entry.position.sequence;
                return Ok(Told::Change(entry));
            }
            self.sequence = self.reached;
            if Instant::now() >= wake {
                wake = Instant::now() + interval;
                if self.counted.0.ring().fresh {
                    self.silent_until = Some(wake);
                    return Ok(Told::Progress(self.sequence));
                }
            }
            // Before the look at the ring, so that nothing is missed after it.
            self.news.borrow_and_update();
            let Some(idle) = self.take().await? else {
                continue;
            };
            self.sequence = self.reached;
            let news = async {
                match idle {
                    // The feed's end ends all watches.
                    Idle::News => drop(self.news.changed().await),
                    Idle::Pause => sleep(PAUSE).await,
                }
            };
            let _ = timeout_at(wake, news).await;
        }
    }

    /// Takes what is there; nothing is ready before.
    async fn take(&mut self) -> Result<Option<Idle>, WatchError> {
        if let Source::Lanes(lanes) = &self.source {
            let joined = join(&self.counted.0.ring(), lanes);
            match joined {
                Some(source) => self.source = source,
                None => return self.read().await,
            }
        }
        self.take_from_ring()
    }

    fn take_from_ring(&mut self) -> Result<Option<Idle>, WatchError> {
        let Source::Ring { place, backs, told } = &mut self.source else {
            return Ok(None);
        };
        let ring = self.counted.0.ring();
        if *backs != ring.backs {
            *backs = ring.backs;
            for (told, rewound) in told.iter_mut().flatten().zip(&ring.rewound) {
                let common = rewound.and_then(|rewound| rewound.lead_back(told.sequence));
                if let Some(common) = common {
                    *told = ChangePosition::of(common);
                }
            }
        }
        let entries = ring.after(*place).map_err(|gone| match gone {
            Gone::Evicted => WatchError::TooSlow {
                resume_from: self.sequence,
            },
            Gone::Lost => WatchError::NotKept {
                from: self.sequence,
            },
        })?;
        let mut looked = 0;
        for (behind, partition, entry) in entries.take(TAKEN) {
            looked += 1;
            *place = behind;
            if told
                .as_ref()
                .is_some_and(|told| entry.position <= told[partition])
            {
                continue;
            }
            self.reached = entry.position.sequence;
            if is_of(&self.circles, entry) {
                self.ready.push_back(Arc::clone(entry));
            }
        }
        if looked == TAKEN || !self.ready.is_empty() {
            return Ok(None);
        }
        // Nothing else is there, so what was looked at last is the present.
        match told {
            Some(told) if told.iter().any(|told| told.sequence > ring.horizon) => {
                self.reached = self.reached.max(ring.horizon);
            }
            _ => {
                *told = None;
                self.reached = ring.horizon;
            }
        }
        match &ring.fault {
            Some(error) => Err(error.clone().into()),
            None => Ok(Some(Idle::News)),
        }
    }

    /// Reads on what lies further back.
    async fn read(&mut self) -> Result<Option<Idle>, WatchError> {
        let Source::Lanes(lanes) = &mut self.source else {
            return Ok(None);
        };
        let step = {
            // The semaphore is never closed.
            let _permit = self.counted.0.readers.acquire().await;
            lanes.step(None).await
        };
        match step {
            Ok(Step::Entries { entries, more }) => {
                let nothing = entries.is_empty();
                for (_, entry) in entries {
                    if is_of(&self.circles, &entry) {
                        self.ready.push_back(Arc::new(entry));
                    }
                }
                self.reached = lanes.horizon();
                // All is read, but the ring has not come so far.
                Ok((nothing && !more).then_some(Idle::Pause))
            }
            Ok(Step::Back(_)) => {
                self.reached = lanes.horizon();
                Ok(None)
            }
            Ok(Step::Lost) => Err(WatchError::NotKept {
                from: self.sequence,
            }),
            Ok(Step::Unbuilt) => Ok(Some(Idle::Pause)),
            Err(error) if error.is_transient() => Ok(Some(Idle::Pause)),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether the change is one of these circles, which are sorted; of any where there are none.
fn is_of(circles: &[CircleId], entry: &ChangeEntry) -> bool {
    circles.is_empty() || circles.binary_search(&entry.circle_id).is_ok()
}

/// Where a watch begins.
fn begin(shared: &Shared, from: Option<Sequence>) -> Result<(Source, Sequence), WatchError> {
    let ring = shared.ring();
    let Some(from) = from else {
        let source = Source::Ring {
            place: ring.end(),
            backs: ring.backs,
            told: None,
        };
        return Ok((source, ring.horizon));
    };
    let rewound = ring.rewound.iter().flatten();
    let commons = rewound.filter_map(|rewound| rewound.lead_back(from));
    let from = commons.min().unwrap_or(from);
    if from < ring.floor {
        return Err(WatchError::NotKept { from });
    }
    let lanes = Lanes::after(from, &shared.partitions, &ring.rewound, COUNT);
    let source = join(&ring, &lanes);
    Ok((
        source.unwrap_or_else(|| Source::Lanes(Box::new(lanes))),
        from,
    ))
}

/// Goes over to the ring, if that reaches back to where `lanes` are and knows
/// of the same losses.
fn join(ring: &Ring, lanes: &Lanes) -> Option<Source> {
    if !lanes.rewound().eq(ring.rewound.iter().copied()) {
        return None;
    }
    let told: Box<[ChangePosition]> = lanes.told().collect();
    Some(Source::Ring {
        place: ring.join(&told)?,
        backs: ring.backs,
        told: Some(told),
    })
}
