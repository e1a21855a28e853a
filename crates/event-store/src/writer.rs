//! Group commit: calls that come while a transaction is under way share the next one.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use shared_domain::{CircleId, Command};
use tokio::runtime;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cache::CircleCache;
use crate::figures::{Batch, Counts, Figures};
use crate::load::StoredCircle;
use crate::snapshots;
use crate::store::EventStore;
use crate::submission::{Attempt, Fresh, Outcome, Submission, Verdict};
use crate::worker::{Job, Worker, report};

/// Limits of a [`Writer`].
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// How many submissions may wait. More are turned away at once.
    pub queue: usize,
    /// How many submissions share a transaction.
    pub batch: usize,
    /// For how long a batch is tried again while the database can't be reached.
    pub patience: Duration,
    /// A snapshot is taken at every version that this divides; at least 1.
    pub snapshot_interval: u32,
    /// How many bytes of circles are kept in memory.
    pub cache_bytes: u64,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            queue: 4_096,
            batch: 1_024,
            patience: Duration::from_secs(5),
            snapshot_interval: 5,
            cache_bytes: 32 << 20,
        }
    }
}

/// Why a submission got no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Too many are waiting. Nothing was done.
    #[error("too many commands are waiting")]
    QueueFull,
    /// Its deadline passed while it waited. Nothing was done.
    #[error("the deadline passed before the command was begun")]
    Expired,
    /// The writer has ended. Nothing was done.
    #[error("the service is shutting down")]
    Closed,
    /// Others changed the circle every time between our look and our append. Nothing was done.
    #[error("the circle changes too fast")]
    Contended,
    /// The database could not be reached, to load the circle or, for longer than the writer's patience, to append. Nothing
    /// was done.
    #[error("the event log can't be reached at present")]
    Unreachable,
    /// The database could not be reached for longer than the writer's patience, and not even for the
    /// answer to a commit. Whether the event was appended is unknown; submitting again under the same event id finds out.
    #[error("the event log can't be reached at present, and the outcome is unknown")]
    Unknown,
    /// The database refused a statement, or the log is damaged; the writer has logged why.
    /// Nothing was done.
    #[error("the event log failed")]
    Failed,
}

/// How often an attempt is made when others change the circle in between.
const ATTEMPTS: usize = 20;

/// Appends to the log in groups. Cheap to clone; clones share one queue.
///
/// There is no timer: a batch is what came while the batch before was committed, so a lone call
/// waits for nobody and a crowd shares the cost of the disk.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<Job>,
    /// The places in the queue that those who wait for room may take.
    shared_places: Arc<Semaphore>,
    store: EventStore,
    cache: Arc<CircleCache>,
    counts: Arc<Counts>,
}

/// What to do when the queue is full.
#[derive(Clone, Copy, Debug)]
enum WhenFull {
    Refuse,
    Wait,
}

/// What works behind the writers. It ends when all writers are gone and the queue is empty.
#[derive(Debug)]
pub struct WriterTask {
    appending: oneshot::Receiver<()>,
    snapshots: JoinHandle<()>,
}

impl WriterTask {
    /// Waits until everything that was submitted is in the log or answered.
    pub async fn finished(self) {
        if self.appending.await.is_err() {
            tracing::error!("the thread of the writer failed");
        }
        if let Err(error) = self.snapshots.await {
            tracing::error!(%error, "the task of the snapshots failed");
        }
    }
}

/// Lets the worker run on a thread and a runtime of its own.
///
/// Between two answers of the database an append does next to nothing, but each of them has to be noticed at once:
/// everybody else waits for it. Among thousands of calls that are turned away on the same threads it was noticed so
/// late that at four times the highest load a quarter of the rate was left.
fn run_apart(worker: Worker, jobs: mpsc::Receiver<Job>) -> oneshot::Receiver<()> {
    let (tell, ended) = oneshot::channel();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("at its start a process has files left");
    let work = move || {
        runtime.block_on(worker.run(jobs));
        // Nobody may wait for it.
        let _ = tell.send(());
    };
    let thread = thread::Builder::new().name("writer".to_owned());
    thread
        .spawn(work)
        .expect("at its start a process has room for a thread");
    ended
}

impl Writer {
    /// Starts the thread that appends.
    ///
    /// # Panics
    ///
    /// Where the system has no thread or no file for it.
    #[must_use]
    pub fn start(store: EventStore, options: WriterOptions) -> (Self, WriterTask) {
        Self::start_observed(store, options, |_| {})
    }

    /// [`start`](Self::start), with somebody who is told of every batch that was appended. The
    /// next one waits for that, so it must be quick.
    ///
    /// # Panics
    ///
    /// As `start`.
    #[must_use]
    pub fn start_observed(
        store: EventStore,
        options: WriterOptions,
        observe: impl FnMut(Batch) + Send + 'static,
    ) -> (Self, WriterTask) {
        let (queue, jobs) = mpsc::channel(options.queue);
        // Half of the queue is kept from those who wait: in a queue that others fill as soon as
        // there is room, one who does not wait would never find a place.
        let shared_places = Arc::new(Semaphore::new((options.queue / 2).max(1)));
        let (due, snapshots_due) = mpsc::channel(snapshots::QUEUE);
        let cache = Arc::new(CircleCache::new(options.cache_bytes));
        let snapshots = tokio::spawn(snapshots::run(store.clone(), snapshots_due));
        let counts = Arc::new(Counts::default());
        let worker = Worker::new(
            store.clone(),
            Arc::clone(&cache),
            options,
            due,
            Arc::clone(&counts),
            Box::new(observe),
        );
        let appending = run_apart(worker, jobs);
        let writer = Self {
            queue,
            shared_places,
            store,
            cache,
            counts,
        };
        (
            writer,
            WriterTask {
                appending,
                snapshots,
            },
        )
    }

    /// What this writer and its clones tell of themselves.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            counts: Arc::clone(&self.counts),
            queue: self.queue.downgrade(),
            ignored_snapshots: Arc::clone(&self.store.ignored_snapshots),
        }
    }

    /// Submits a command and waits for what becomes of it. Once queued it is tried, even when the
    /// caller goes away, unless its deadline passes before it is begun. Only where the circle has changed meanwhile does
    /// it need the caller, to be tried again.
    ///
    /// A circle that is in memory is not read beforehand: the log only confirms its version.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] says whether something may have been appended.
    pub async fn submit(&self, submission: Submission) -> Result<Outcome, SubmitError> {
        self.submit_with(submission, WhenFull::Refuse).await
    }

    /// [`submit`](Self::submit) that waits for room in the queue, without a limit. All who wait
    /// share half of the queue at most, in the order in which they came.
    ///
    /// # Errors
    ///
    /// As of `submit`, but never [`SubmitError::QueueFull`].
    pub async fn submit_when_room(&self, submission: Submission) -> Result<Outcome, SubmitError> {
        self.submit_with(submission, WhenFull::Wait).await
    }

    async fn submit_with(
        &self,
        mut submission: Submission,
        full: WhenFull,
    ) -> Result<Outcome, SubmitError> {
        let id = submission.circle_id;
        let mut known_since = Instant::now();
        let mut basis = match (self.cache.get(id), &submission.command) {
            (Some(cached), _) => {
                self.counts.count_look(true);
                cached
            }
            // Mostly there is none of this id yet; if there is, the log says so.
            (None, Command::Create { .. }) => StoredCircle::default(),
            (None, _) => {
                self.counts.count_look(false);
                self.load(id).await?
            }
        };
        for _ in 0..ATTEMPTS {
            let attempt = Attempt {
                submission: submission.clone(),
                basis,
                known_since,
            };
            match self.attempt(attempt, full).await? {
                Verdict::Settled(outcome) => return Ok(outcome),
                Verdict::Stale => {
                    known_since = Instant::now();
                    basis = self.load(id).await?;
                }
            }
            // The log knew more than we thought.
            submission.fresh = Fresh::default();
        }
        Err(SubmitError::Contended)
    }

    async fn attempt(&self, attempt: Attempt, full: WhenFull) -> Result<Verdict, SubmitError> {
        let (answer, answered) = oneshot::channel();
        let job = |place| Job {
            attempt,
            answer,
            place,
        };
        match full {
            WhenFull::Refuse => self
                .queue
                .try_send(job(None))
                .map_err(|error| match error {
                    mpsc::error::TrySendError::Full(_) => {
                        self.counts.count_refused();
                        SubmitError::QueueFull
                    }
                    mpsc::error::TrySendError::Closed(_) => SubmitError::Closed,
                })?,
            WhenFull::Wait => {
                let place = Arc::clone(&self.shared_places).acquire_owned().await;
                let place = place.map_err(|_| SubmitError::Closed)?;
                let sent = self.queue.send(job(Some(place))).await;
                sent.map_err(|_| SubmitError::Closed)?;
            }
        }
        // The worker drops an answer only when it dies itself.
        answered.await.unwrap_or(Err(SubmitError::Unknown))
    }

    async fn load(&self, id: CircleId) -> Result<StoredCircle, SubmitError> {
        match self.store.load(id).await {
            // Not into the cache, where only an append puts what it knows to be certain.
            Ok(circle) => Ok(circle),
            Err(error) => {
                report(&error, 1, "circle not loaded");
                Err(if error.is_transient() {
                    SubmitError::Unreachable
                } else {
                    SubmitError::Failed
                })
            }
        }
    }
}
