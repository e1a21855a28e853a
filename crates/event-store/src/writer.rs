//! Group commit: calls that come while a transaction is under way share the next one.

use std::sync::Arc;
use std::time::Duration;

use shared_domain::{CircleId, Command};
use sqlx::MySql;
use sqlx::pool::PoolConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::append::Appender;
use crate::cache::CircleCache;
use crate::error::StoreError;
use crate::load::StoredCircle;
use crate::snapshots;
use crate::store::EventStore;
use crate::submission::{Attempt, Fresh, Outcome, Submission, Verdict};

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
    /// The writer has ended. Nothing was done.
    #[error("the service is shutting down")]
    Closed,
    /// Others changed the circle every time between our look and our append. Nothing was done.
    #[error("the circle changes too fast")]
    Contended,
    /// The circle could not be loaded, as the database can't be reached. Nothing was done.
    #[error("the event log can't be reached at present")]
    Unreachable,
    /// The database could not be reached for longer than the writer's patience. Whether the event
    /// was appended is unknown; submitting again under the same event id finds out.
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
}

/// An attempt, and where its verdict goes.
#[derive(Debug)]
struct Job {
    attempt: Attempt,
    answer: oneshot::Sender<Result<Verdict, SubmitError>>,
    /// Given back when the job leaves the queue.
    _place: Option<OwnedSemaphorePermit>,
}

/// What to do when the queue is full.
#[derive(Clone, Copy, Debug)]
enum WhenFull {
    Refuse,
    Wait,
}

/// The task behind the writers. It ends when all writers are gone and the queue is empty.
#[derive(Debug)]
pub struct WriterTask {
    appending: JoinHandle<()>,
    snapshots: JoinHandle<()>,
}

impl WriterTask {
    /// Waits until everything that was submitted is in the log or answered.
    pub async fn finished(self) {
        for task in [self.appending, self.snapshots] {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the writer failed");
            }
        }
    }
}

impl Writer {
    /// Starts the task that appends.
    #[must_use]
    pub fn start(store: EventStore, options: WriterOptions) -> (Self, WriterTask) {
        let (queue, jobs) = mpsc::channel(options.queue);
        // Half of the queue is kept from those who wait: in a queue that others fill as soon as
        // there is room, one who does not wait would never find a place.
        let shared_places = Arc::new(Semaphore::new((options.queue / 2).max(1)));
        let (due, snapshots_due) = mpsc::channel(snapshots::QUEUE);
        let cache = Arc::new(CircleCache::new(options.cache_bytes));
        let snapshots = tokio::spawn(snapshots::run(store.clone(), snapshots_due));
        let worker = Worker {
            store: store.clone(),
            appender: Appender::new(Arc::clone(&cache)),
            options,
            due,
            connection: None,
        };
        let appending = tokio::spawn(worker.run(jobs));
        let writer = Self {
            queue,
            shared_places,
            store,
            cache,
        };
        (
            writer,
            WriterTask {
                appending,
                snapshots,
            },
        )
    }

    /// Submits a command and waits for what becomes of it. Once queued it runs to its end, even
    /// when the caller goes away.
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
        let mut basis = match (self.cache.get(id), &submission.command) {
            (Some(cached), _) => cached,
            // Mostly there is none of this id yet; if there is, the log says so.
            (None, Command::Create { .. }) => StoredCircle::default(),
            (None, _) => self.load(id).await?,
        };
        for _ in 0..ATTEMPTS {
            let attempt = Attempt {
                submission: submission.clone(),
                basis,
            };
            match self.attempt(attempt, full).await? {
                Verdict::Settled(outcome) => return Ok(outcome),
                Verdict::Stale => basis = self.load(id).await?,
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
            _place: place,
        };
        match full {
            WhenFull::Refuse => self
                .queue
                .try_send(job(None))
                .map_err(|error| match error {
                    mpsc::error::TrySendError::Full(_) => SubmitError::QueueFull,
                    mpsc::error::TrySendError::Closed(_) => SubmitError::Closed,
                })?,
            WhenFull::Wait => {
                let place = Arc::clone(&self.shared_places).acquire_owned().await;
                let place = place.map_err(|_| SubmitError::Closed)?;
                let sent = self.queue.send(job(Some(place))).await;
                sent.map_err(|_| SubmitError::Closed)?;
            }
        }
        // The task drops an answer only when it dies itself.
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

struct Worker {
    store: EventStore,
    appender: Appender,
    options: WriterOptions,
    due: mpsc::Sender<snapshots::Due>,
    /// Kept from batch to batch: the pool would test it before and after each.
    connection: Option<PoolConnection<MySql>>,
}

impl Worker {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::new();
        while jobs.recv_many(&mut group, self.options.batch).await > 0 {
            let (batch, answers): (Vec<_>, Vec<_>) =
                group.drain(..).map(|job| (job.attempt, job.answer)).unzip();
            let verdicts = self.append(&batch).await;
            for ((attempt, answer), verdict) in batch.iter().zip(answers).zip(verdicts) {
                if let Ok(Verdict::Settled(Outcome::Appended(stored))) = &verdict {
                    self.request_snapshot(attempt.submission.circle_id, stored);
                }
                // The client may have gone; its command is done all the same.
                let _ = answer.send(verdict);
            }
        }
    }

    /// Appends a batch. When the database refuses it as a whole, each submission is tried by
    /// itself, so that one that can't be stored fails alone.
    async fn append(&mut self, batch: &[Attempt]) -> Vec<Result<Verdict, SubmitError>> {
        match self.append_patiently(batch, true).await {
            Ok(verdicts) => verdicts.into_iter().map(Ok).collect(),
            Err(SubmitError::Failed) if batch.len() > 1 => {
                let mut answers = Vec::with_capacity(batch.len());
                for attempt in batch.chunks(1) {
                    let verdict = self.append_patiently(attempt, false).await;
                    answers.push(verdict.and_then(|mut one| one.pop().ok_or(SubmitError::Failed)));
                }
                answers
            }
            Err(error) => vec![Err(error); batch.len()],
        }
    }

    /// Appends a batch, and tries again while the database can't be reached. That is safe after
    /// a commit with unknown outcome, since the events are found by their ids.
    async fn append_patiently(
        &mut self,
        batch: &[Attempt],
        mut first: bool,
    ) -> Result<Vec<Verdict>, SubmitError> {
        let give_up = Instant::now() + self.options.patience;
        let mut delay = FIRST_DELAY;
        loop {
            match self.append_once(batch, first).await {
                Ok(verdicts) => return Ok(verdicts),
                // Perhaps an id was not as fresh as was said: once more, with every check.
                Err(StoreError::Refused(_)) if first => {
                    first = false;
                    continue;
                }
                Err(error) if !error.is_transient() => {
                    report(&error, batch.len(), "append failed");
                    return Err(SubmitError::Failed);
                }
                Err(error) if Instant::now() + delay >= give_up => {
                    report(&error, batch.len(), "append given up");
                    return Err(SubmitError::Unknown);
                }
                Err(error) => report(&error, batch.len(), "append tried again"),
            }
            first = false;
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(LONGEST_DELAY);
        }
    }

    async fn append_once(
        &mut self,
        batch: &[Attempt],
        first: bool,
    ) -> Result<Vec<Verdict>, StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.store.pool.acquire().await?,
        };
        match self.appender.append(&mut connection, batch, first).await {
            Ok(verdicts) => {
                self.connection = Some(connection);
                Ok(verdicts)
            }
            Err(error) => {
                // Whatever state it is in, nobody meets it again; the server rolls back what
                // was open.
                connection.close_on_drop();
                Err(error)
            }
        }
    }

    fn request_snapshot(&self, id: CircleId, stored: &StoredCircle) {
        if let Some(version) = stored.circle.version()
            && snapshots::is_due(version, self.options.snapshot_interval)
        {
            // A full queue passes this one over: a snapshot is only a cache.
            let _ = self.due.try_send((id, stored.clone()));
        }
    }
}

const FIRST_DELAY: Duration = Duration::from_millis(10);
const LONGEST_DELAY: Duration = Duration::from_millis(500);

fn report(error: &StoreError, commands: usize, what: &str) {
    tracing::warn!(error = error as &dyn std::error::Error, commands, "{what}");
}
