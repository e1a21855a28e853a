//! Group commit: calls that come while a transaction is under way share the next one.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::append::{Outcome, Submission};
use crate::error::StoreError;
use crate::snapshots;
use crate::store::EventStore;

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
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            queue: 4_096,
            batch: 1_024,
            patience: Duration::from_secs(5),
            snapshot_interval: 5,
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
    /// The database could not be reached for longer than the writer's patience. Whether the event
    /// was appended is unknown; submitting again under the same event id finds out.
    #[error("the event log can't be reached at present")]
    Unavailable,
    /// The database refused the statement, or the log is damaged; the writer has logged why.
    #[error("the event log failed")]
    Failed,
}

/// Appends to the log in groups. Cheap to clone; clones share one queue.
///
/// There is no timer: a batch is what came while the batch before was committed, so a lone call
/// waits for nobody and a crowd shares the cost of the disk.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<Job>,
}

/// A submission, and where its answer goes.
#[derive(Debug)]
struct Job {
    submission: Submission,
    answer: oneshot::Sender<Result<Outcome, SubmitError>>,
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
        let (due, snapshots_due) = mpsc::channel(snapshots::QUEUE);
        let snapshots = tokio::spawn(snapshots::run(store.clone(), snapshots_due));
        let appender = Appender {
            store,
            options,
            due,
        };
        let appending = tokio::spawn(appender.run(jobs));
        (
            Self { queue },
            WriterTask {
                appending,
                snapshots,
            },
        )
    }

    /// Submits a command and waits for what becomes of it. Once queued it runs to its end, even
    /// when the caller goes away.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] says whether something may have been appended.
    pub async fn submit(&self, submission: Submission) -> Result<Outcome, SubmitError> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .try_send(Job { submission, answer })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => SubmitError::QueueFull,
                mpsc::error::TrySendError::Closed(_) => SubmitError::Closed,
            })?;
        // The task drops an answer only when it dies itself.
        answered.await.unwrap_or(Err(SubmitError::Unavailable))
    }
}

struct Appender {
    store: EventStore,
    options: WriterOptions,
    due: mpsc::Sender<snapshots::Due>,
}

impl Appender {
    async fn run(self, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::new();
        while jobs.recv_many(&mut group, self.options.batch).await > 0 {
            let (batch, answers): (Vec<_>, Vec<_>) = group
                .drain(..)
                .map(|job| (job.submission, job.answer))
                .unzip();
            let outcomes = self.append(&batch).await;
            self.request_snapshots(&batch, &outcomes);
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                // The client may have gone; its command is done all the same.
                let _ = answer.send(outcome);
            }
        }
    }

    /// Appends a batch. When the database refuses it as a whole, each submission is tried by
    /// itself, so that one that can't be stored fails alone.
    async fn append(&self, batch: &[Submission]) -> Vec<Result<Outcome, SubmitError>> {
        match self.append_patiently(batch).await {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(SubmitError::Failed) if batch.len() > 1 => {
                let mut answers = Vec::with_capacity(batch.len());
                for submission in batch.chunks(1) {
                    answers.push(
                        self.append_patiently(submission)
                            .await
                            .and_then(|mut one| one.pop().ok_or(SubmitError::Failed)),
                    );
                }
                answers
            }
            Err(error) => vec![Err(error); batch.len()],
        }
    }

    /// Appends a batch, and tries again while the database can't be reached. That is safe after
    /// a commit with unknown outcome, since the events are found by their ids.
    async fn append_patiently(&self, batch: &[Submission]) -> Result<Vec<Outcome>, SubmitError> {
        let give_up = Instant::now() + self.options.patience;
        let mut delay = FIRST_DELAY;
        loop {
            match self.store.append(batch).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(error) if !error.is_transient() => {
                    report(&error, batch.len(), "append failed");
                    return Err(SubmitError::Failed);
                }
                Err(error) if Instant::now() + delay >= give_up => {
                    report(&error, batch.len(), "append given up");
                    return Err(SubmitError::Unavailable);
                }
                Err(error) => report(&error, batch.len(), "append tried again"),
            }
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(LONGEST_DELAY);
        }
    }

    fn request_snapshots(&self, batch: &[Submission], outcomes: &[Result<Outcome, SubmitError>]) {
        for (submission, outcome) in batch.iter().zip(outcomes) {
            if let Ok(Outcome::Appended(stored)) = outcome
                && let Some(version) = stored.circle.version()
                && snapshots::is_due(version, self.options.snapshot_interval)
            {
                // A full queue passes this one over: a snapshot is only a cache.
                let _ = self.due.try_send((submission.circle_id, stored.clone()));
            }
        }
    }
}

const FIRST_DELAY: Duration = Duration::from_millis(10);
const LONGEST_DELAY: Duration = Duration::from_millis(500);

fn report(error: &StoreError, commands: usize, what: &str) {
    tracing::warn!(error = error as &dyn std::error::Error, commands, "{what}");
}
