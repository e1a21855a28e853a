//! Waiting for the read model to come as far as a sequence.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::{EventInterface, PubsubInterface};
use fred::types::Message;
use fred::types::config::Server;
use shared_domain::Sequence;
use tokio::sync::broadcast::Receiver;
use tokio::sync::{Notify, watch};

use crate::config::Config;
use crate::connection::{Connection, Fault, keep_up};
use crate::error::{Error, SetupError};
use crate::keys;
use crate::projection::Projection;
use crate::task::OwnedTask;

/// How often the checkpoint is looked at while someone waits: a hint can be
/// lost.
const INTERVAL: Duration = Duration::from_millis(50);

/// Follows the checkpoint for a whole process.
///
/// However many wait, it is one task that looks at the checkpoint: when the
/// channel hints at a change, when someone begins to wait, and every 50 ms
/// while anyone waits. It ends when this is dropped.
pub struct Follower {
    shared: Arc<Shared>,
    seen: watch::Receiver<Look>,
    _tasks: [OwnedTask; 3],
}

#[derive(Default)]
struct Shared {
    /// Wakes the task for a look.
    look: Notify,
    /// The number of the look that began last.
    began: AtomicU64,
    waiting: AtomicUsize,
}

/// What one look at the checkpoint saw.
#[derive(Clone, Debug)]
struct Look {
    number: u64,
    sequence: Result<Sequence, Error>,
}

impl Follower {
    /// Begins to follow, and does not wait for Redis. It opens one connection
    /// for the channel, and looks through `connection`.
    ///
    /// # Errors
    ///
    /// As [`Connection::open`].
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn start(connection: Connection) -> Result<Self, SetupError> {
        let config = connection.config();
        let listener = Client::new(
            config.server()?,
            Some(config.performance()),
            Some(config.connection()),
            Some(Config::reconnect()),
        );
        // Before the first connection, so that none is missed.
        let (hints, connects) = (listener.message_rx(), listener.reconnect_rx());
        let shared = Arc::new(Shared::default());
        let (seen_by_task, seen) = watch::channel(Look {
            number: 0,
            sequence: Err(Error::NotBuilt),
        });
        let tasks = [
            tokio::spawn(subscribe(listener.clone(), connects, Arc::clone(&shared))),
            tokio::spawn(keep_up(listener, Arc::new(Fault::default()))),
            tokio::spawn(follow(
                Projection::new(connection),
                hints,
                Arc::clone(&shared),
                seen_by_task,
            )),
        ];
        Ok(Self {
            shared,
            seen,
            _tasks: tasks.map(OwnedTask::from),
        })
    }

    /// The last sequence seen, which can be old while nobody waits; none
    /// where the last look failed or nothing is built.
    #[must_use]
    pub fn latest(&self) -> Option<Sequence> {
        self.seen.borrow().sequence.clone().ok()
    }

    /// Waits until the read model has come as far as `min`, and answers how
    /// far it had come at some moment after this call began: what was seen
    /// earlier does not count, as a rebuild can set the read model back.
    ///
    /// An outage and a read model that is not built are waited out; the
    /// deadline is the caller's, who may drop this at any time.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Refused`], which waiting does not cure.
    pub async fn wait_for(&self, min: Sequence) -> Result<Sequence, Error> {
        let _waiting = Waiting::new(&self.shared.waiting);
        let too_old = self.shared.began.load(Ordering::SeqCst);
        self.shared.look.notify_one();
        let enough = |look: &Look| {
            look.number > too_old
                && match &look.sequence {
                    Ok(sequence) => *sequence >= min,
                    Err(error) => !error.is_transient(),
                }
        };
        let mut seen = self.seen.clone();
        let sequence = seen
            .wait_for(enough)
            .await
            .map(|look| look.sequence.clone());
        match sequence {
            Ok(sequence) => sequence,
            // The task lives as long as this.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Counts a waiter as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Looks at the checkpoint whenever there is a reason to.
async fn follow(
    projection: Projection,
    mut hints: Receiver<Message>,
    shared: Arc<Shared>,
    seen: watch::Sender<Look>,
) {
    loop {
        let anyone = shared.waiting.load(Ordering::SeqCst) > 0;
        tokio::select! {
            () = shared.look.notified() => {}
            // Hints that were overrun are hints as well.
            _ = hints.recv() => {}
            () = tokio::time::sleep(INTERVAL), if anyone => {}
        }
        // This look answers all hints that came before it.
        hints = hints.resubscribe();
        let number = shared.began.fetch_add(1, Ordering::SeqCst) + 1;
        let sequence = match projection.checkpoint().await {
            Ok(Some(checkpoint)) => Ok(checkpoint.sequence),
            Ok(None) => Err(Error::NotBuilt),
            Err(error) => Err(error),
        };
        seen.send_replace(Look { number, sequence });
    }
}

/// Subscribes on every new connection, and lets look at what was missed.
async fn subscribe(listener: Client, mut connects: Receiver<Server>, shared: Arc<Shared>) {
    loop {
        // A wait that was overrun by connects still ends with one.
        let _ = connects.recv().await;
        while let Err(error) = listener.subscribe(keys::APPLIED).await {
            tracing::debug!(%error, "no hints from Redis for now");
            tokio::time::sleep(INTERVAL).await;
        }
        shared.look.notify_one();
    }
}
