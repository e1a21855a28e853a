//! What all watches of a process are fed from.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use shared_domain::{CircleId, Sequence};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::connection::Connection;
use crate::error::Error;
use crate::follower::{Follower, Heard};
use crate::lanes::{Lanes, Step};
use crate::projection::{Partition, partitions};
use crate::ring::Ring;
use crate::task::OwnedTask;
use crate::watch::{Watch, WatchError};

/// How often changes are looked for where no hint comes.
const INTERVAL: Duration = Duration::from_millis(100);

/// How many entries one command reads.
const COUNT: u32 = 1_000;

/// How many watches read what lies further back at the same time.
const READERS: usize = 4;

/// How a [`Feed`] works.
#[derive(Clone, Copy, Debug)]
pub struct FeedOptions {
    /// How many changes are kept in memory: so far a watch can lag.
    pub kept: usize,
    /// How long a watch stays silent.
    pub progress: Duration,
}

impl Default for FeedOptions {
    fn default() -> Self {
        Self {
            kept: 16_384,
            progress: Duration::from_secs(5),
        }
    }
}

/// Reads the changes once for all watches of a process, as long as there are
/// any, and keeps the last ones in memory. It ends when this is dropped.
pub struct Feed {
    shared: Arc<Shared>,
    asks: UnboundedSender<Ask>,
    _task: OwnedTask,
}

/// What the task and all watches share.
pub(crate) struct Shared {
    ring: RwLock<Ring>,
    /// Tells that something is new in the ring.
    news: watch::Sender<()>,
    watches: AtomicUsize,
    pub(crate) readers: Semaphore,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) options: FeedOptions,
}

/// Somebody who wants to begin once the present was looked at.
type Ask = oneshot::Sender<Result<(), Error>>;

impl Feed {
    /// Begins to wait for watches, which are woken by what `follower` hears.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn start(connection: &Connection, follower: &Follower, options: FeedOptions) -> Self {
        let shared = Arc::new(Shared {
            ring: RwLock::new(Ring::new(options.kept.max(1))),
            news: watch::Sender::new(()),
            watches: AtomicUsize::new(0),
            readers: Semaphore::new(READERS),
            partitions: partitions(connection),
            options,
        });
        let (asks, asked) = unbounded_channel();
        let task = run(Arc::clone(&shared), asked, follower.heard());
        Self {
            shared,
            asks,
            _task: tokio::spawn(task).into(),
        }
    }

    /// Watches what comes after `from`, or after the present; only these
    /// circles, or all where there are none.
    ///
    /// # Errors
    ///
    /// [`WatchError::NotKept`], and [`WatchError::Read`] where the read model
    /// can't be reached or is not built.
    pub async fn watch(
        &self,
        from: Option<Sequence>,
        circles: Vec<CircleId>,
    ) -> Result<Watch, WatchError> {
        // The task goes on from here on.
        let counted = Counted::new(Arc::clone(&self.shared));
        let (ask, answered) = oneshot::channel();
        let _ = self.asks.send(ask);
        match answered.await {
            Ok(answer) => answer?,
            // The task lives as long as this, unless the runtime ends.
            Err(_) => std::future::pending().await,
        }
        Watch::new(counted, from, circles)
    }
}

impl Feed {
    /// What tells how many watches there are. It keeps nothing open.
    pub fn counter(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let shared = Arc::downgrade(&self.shared);
        move || {
            let shared = shared.upgrade();
            shared.map_or(0, |shared| shared.watches.load(Ordering::SeqCst))
        }
    }
}

impl Shared {
    // A panic under the lock leaves nothing that others must not see.
    pub(crate) fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Ring> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }
}

/// Counts a watch as long as it lives.
pub(crate) struct Counted(pub(crate) Arc<Shared>);

impl Counted {
    fn new(shared: Arc<Shared>) -> Self {
        shared.watches.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.watches.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn run(
    shared: Arc<Shared>,
    mut asked: UnboundedReceiver<Ask>,
    mut heard: watch::Receiver<Heard>,
) {
    let mut asks = Vec::new();
    loop {
        if asked.recv_many(&mut asks, usize::MAX).await == 0 {
            return;
        }
        let began = Lanes::at_present(&shared.partitions, COUNT).await;
        let answer = match began {
            Ok(Some(lanes)) => {
                shared.change().restart(&lanes);
                answer(&mut asks, &Ok(()));
                feed(&shared, lanes, &mut asked, &mut heard).await;
                shared.change().clear();
                continue;
            }
            Ok(None) => Err(Error::NotBuilt),
            Err(error) => Err(error),
        };
        self::answer(&mut asks, &answer);
    }
}

/// Reads on as long as there are watches.
async fn feed(
    shared: &Shared,
    mut lanes: Lanes,
    asked: &mut UnboundedReceiver<Ask>,
    heard: &mut watch::Receiver<Heard>,
) {
    let mut asks = Vec::new();
    let mut more = true;
    let mut looked = Instant::now();
    while shared.watches.load(Ordering::SeqCst) > 0 {
        let mut partitions = None;
        if !more {
            tokio::select! {
                _ = asked.recv_many(&mut asks, usize::MAX) => {}
                // Now and then all are looked at, as hints can be lost.
                Ok(()) = heard.changed() => {
                    let heard = heard.borrow();
                    let lately = looked.elapsed() < INTERVAL;
                    partitions = lately.then(|| heard.partitions.clone());
                }
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
        if partitions.is_none() {
            looked = Instant::now();
        }
        let step = lanes.step(partitions.as_deref()).await;
        let answered = match &step {
            Ok(Step::Unbuilt) => Err(Error::NotBuilt),
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone()),
        };
        more = take_in(shared, &mut lanes, step).await;
        shared.news.send_replace(());
        answer(&mut asks, &answered);
        if let Err(error) = answered {
            tracing::debug!(%error, "no changes can be read");
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

/// Brings into the ring what was read. Answers whether there is more at once.
async fn take_in(shared: &Shared, lanes: &mut Lanes, step: Result<Step, Error>) -> bool {
    match step {
        Ok(Step::Entries { entries, more }) => {
            let mut ring = shared.change();
            for (partition, entry) in entries {
                ring.push(partition, entry);
            }
            ring.see(lanes);
            more
        }
        Ok(Step::Back(partitions)) => {
            tracing::warn!(?partitions, "the log lost its end, so watches go back");
            let mut ring = shared.change();
            for (partition, common) in partitions {
                ring.go_back(partition, common);
            }
            ring.see(lanes);
            true
        }
        Ok(Step::Lost) => {
            tracing::warn!("changes are gone that were not read yet, so watches end");
            match Lanes::at_present(&shared.partitions, COUNT).await {
                Ok(Some(present)) => {
                    *lanes = present;
                    shared.change().restart(lanes);
                }
                // The next step finds the same again.
                Ok(None) | Err(_) => shared.change().fresh = false,
            }
            false
        }
        Ok(Step::Unbuilt) => {
            shared.change().fresh = false;
            false
        }
        Err(error) => {
            let mut ring = shared.change();
            ring.fresh = false;
            if !error.is_transient() {
                tracing::error!(%error, "changes can't be read");
                ring.fault = Some(error);
            }
            false
        }
    }
}

fn answer(asks: &mut Vec<Ask>, answer: &Result<(), Error>) {
    for ask in asks.drain(..) {
        let _ = ask.send(answer.clone());
    }
}
