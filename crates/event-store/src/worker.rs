//! What works behind the writers.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use shared_domain::CircleId;
use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::Instant;

use crate::append::Appender;
use crate::cache::CircleCache;
use crate::error::StoreError;
use crate::figures::{Batch, Counts};
use crate::load::StoredCircle;
use crate::snapshots;
use crate::store::{EventStore, IDLE, in_time};
use crate::submission::{Attempt, Outcome, Verdict};
use crate::writer::{SubmitError, WriterOptions};

/// How long to wait before an append is tried again: at first, and at most.
const FIRST_DELAY: Duration = Duration::from_millis(10);
const LONGEST_DELAY: Duration = Duration::from_millis(500);

/// An attempt, and where its verdict goes.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) attempt: Attempt,
    pub(crate) answer: oneshot::Sender<Result<Verdict, SubmitError>>,
    /// Its share of the queue, given back when it leaves it.
    pub(crate) place: Option<OwnedSemaphorePermit>,
}

/// Appends what is in the queue, group by group.
pub(crate) struct Worker {
    store: EventStore,
    appender: Appender,
    options: WriterOptions,
    due: mpsc::Sender<snapshots::Due>,
    /// Kept from batch to batch, and when it was used last.
    connection: Option<(MySqlConnection, Instant)>,
    counts: Arc<Counts>,
    observe: Observe,
}

/// Who is told of every batch that was appended.
type Observe = Box<dyn FnMut(Batch) + Send>;

impl Worker {
    pub(crate) fn new(
        store: EventStore,
        cache: Arc<CircleCache>,
        options: WriterOptions,
        due: mpsc::Sender<snapshots::Due>,
        counts: Arc<Counts>,
        observe: Observe,
    ) -> Self {
        Self {
            store,
            appender: Appender::new(cache),
            options,
            due,
            connection: None,
            counts,
            observe,
        }
    }

    /// Works until all writers are gone and the queue is empty.
    pub(crate) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut group = Vec::new();
        while jobs.recv_many(&mut group, self.options.batch).await > 0 {
            let now = Instant::now();
            let begin = |job: Job| {
                drop(job.place);
                if job
                    .attempt
                    .submission
                    .deadline
                    .is_some_and(|deadline| deadline <= now)
                {
                    // Nobody waits for it any more; others do.
                    let _ = job.answer.send(Err(SubmitError::Expired));
                    return None;
                }
                Some((job.attempt, job.answer))
            };
            let (batch, answers): (Vec<_>, Vec<_>) = group.drain(..).filter_map(begin).unzip();
            if batch.is_empty() {
                continue;
            }
            let verdicts = match unless_it_panics(self.append(&batch)).await {
                Some(verdicts) => verdicts,
                None => {
                    tracing::error!(commands = batch.len(), "append panicked");
                    vec![Err(SubmitError::Unknown); batch.len()]
                }
            };
            for ((attempt, answer), verdict) in batch.iter().zip(answers).zip(verdicts) {
                if let Ok(Verdict::Settled(Outcome::Appended(stored))) = &verdict {
                    self.request_snapshot(attempt.submission.circle_id, stored);
                }
                // The client may have gone; an event that is appended stays all the same.
                let _ = answer.send(verdict);
            }
        }
        if let Some((connection, _)) = self.connection {
            close(connection).await;
        }
    }

    /// Appends a batch. When the database refuses it as a whole, each submission is tried by
    /// itself, so that one that can't be stored fails alone.
    async fn append(&mut self, batch: &[Attempt]) -> Vec<Result<Verdict, SubmitError>> {
        let give_up = Instant::now() + self.options.patience;
        match self.append_patiently(batch, true, give_up).await {
            Ok(verdicts) => verdicts.into_iter().map(Ok).collect(),
            Err(SubmitError::Failed) if batch.len() > 1 => {
                let mut answers = Vec::with_capacity(batch.len());
                for attempt in batch.chunks(1) {
                    let verdict = self.append_patiently(attempt, false, give_up).await;
                    answers.push(verdict.and_then(|mut one| one.pop().ok_or(SubmitError::Failed)));
                }
                answers
            }
            Err(error) => vec![Err(error); batch.len()],
        }
    }

    /// Appends a batch, and tries again until `give_up` while the database can't be reached. That is
    /// safe after a commit with unknown outcome, since the events are found by their ids.
    async fn append_patiently(
        &mut self,
        batch: &[Attempt],
        mut first: bool,
        give_up: Instant,
    ) -> Result<Vec<Verdict>, SubmitError> {
        let mut delay = FIRST_DELAY;
        // Whether a commit may have happened of which we do not know.
        let mut uncertain = false;
        loop {
            let appended = self.append_once(batch, first).await;
            uncertain |= self.appender.take_doubt();
            match appended {
                Ok(verdicts) => return Ok(verdicts),
                // Perhaps an id was not as fresh as was said: once more, with every check.
                Err(StoreError::Refused(_)) if first => {
                    first = false;
                    continue;
                }
                Err(error) if !error.is_transient() => {
                    report(&error, batch.len(), "append failed");
                    return Err(if uncertain {
                        SubmitError::Unknown
                    } else {
                        SubmitError::Failed
                    });
                }
                Err(error) if Instant::now() + delay >= give_up => {
                    report(&error, batch.len(), "append given up");
                    return Err(if uncertain {
                        SubmitError::Unknown
                    } else {
                        SubmitError::Unreachable
                    });
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
            Some((connection, used)) if used.elapsed() < IDLE => connection,
            unused => {
                if let Some((old, _)) = unused {
                    close(old).await;
                }
                let connection = self.store.connection().await?;
                self.appender.renew();
                connection
            }
        };
        let begun = Instant::now();
        let appended = in_time(self.appender.append(&mut connection, batch, first)).await;
        match appended.flatten() {
            Ok(verdicts) => {
                self.connection = Some((connection, Instant::now()));
                if let Some(head) = self.appender.head() {
                    self.counts.see_head(head);
                }
                (self.observe)(Batch {
                    commands: batch.len(),
                    took: begun.elapsed(),
                });
                Ok(verdicts)
            }
            Err(error) => {
                // Whatever state it is in, nobody meets it again; the server rolls back what
                // was open.
                drop(connection);
                self.counts.count_failure();
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

/// Says good-bye to a server that may have closed the connection by now.
async fn close(connection: MySqlConnection) {
    let _ = in_time(connection.close()).await;
}

/// Logs what went wrong, once, where it is handled.
pub(crate) fn report(error: &StoreError, commands: usize, what: &str) {
    if error.is_transient() {
        tracing::warn!(%error, commands, "{what}");
    } else {
        tracing::error!(%error, commands, "{what}");
    }
}

/// What comes of some work; nothing where it panics, so that whoever does it can go on. It must not leave anything half
/// changed.
async fn unless_it_panics<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}
