//! Hearing how far the read model has come, and waiting for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fred::bytes::Bytes;
use fred::clients::Client;
use fred::interfaces::{EventInterface, KeysInterface, PubsubInterface};
use fred::types::Message;
use fred::types::config::Server;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use shared_domain::{CircleId, Sequence};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::connection::{Connection, Fault, keep_up};
use crate::error::{Error, SetupError};
use crate::keys;
use crate::task::OwnedTask;

/// How often the checkpoints are looked at while someone waits: a hint can be
/// lost.
const INTERVAL: Duration = Duration::from_millis(50);

/// Follows the checkpoints for a whole process.
///
/// However many wait, it is one task that listens to the channel, and that
/// looks at the checkpoints every 50 ms while anyone waits. What it hears is a
/// hint only: whoever waited reads, and waits on where it was too early. It
/// ends when this is dropped.
///
/// Take the [`now`](Self::now) before a read, so that no news are missed which
/// come during that.
pub struct Follower {
    shared: Arc<Shared>,
    heard: watch::Receiver<Heard>,
    connection: Connection,
    _tasks: [OwnedTask; 3],
}

/// A moment in the life of a [`Follower`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now(u64);

#[derive(Default)]
struct Shared {
    /// Tells the task that somebody waits again, so that it begins to look.
    begun: Notify,
    waiting: AtomicUsize,
}

/// What was heard of the checkpoints, or seen of them.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// How often anything was.
    times: u64,
    /// The last news of each partition.
    pub(crate) partitions: Vec<Option<Sequence>>,
    /// Why the last look at each failed, where waiting does not cure that.
    faults: Vec<Option<Error>>,
}

impl Heard {
    /// How far the partition has come, or all of them.
    fn sequence(&self, partition: Option<usize>) -> Option<Sequence> {
        match partition {
            Some(partition) => self.partitions.get(partition).copied().flatten(),
            // One that nobody has heard of is the least.
            None => self.partitions.iter().copied().min().flatten(),
        }
    }

    /// What waiting for the partition does not cure, or for all of them.
    fn fault(&self, partition: Option<usize>) -> Option<&Error> {
        match partition {
            Some(partition) => self.faults.get(partition)?.as_ref(),
            None => self.faults.iter().flatten().next(),
        }
    }
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
        let (heard_by_task, heard) = watch::channel(Heard {
            times: 0,
            partitions: vec![None; connection.keys().len()],
            faults: vec![None; connection.keys().len()],
        });
        let follow = Follow {
            connection: connection.clone(),
            shared: Arc::clone(&shared),
            heard: heard_by_task,
        };
        let tasks = [
            tokio::spawn(subscribe(listener.clone(), connects)),
            tokio::spawn(keep_up(listener, Arc::new(Fault::default()))),
            tokio::spawn(follow.run(hints)),
        ];
        Ok(Self {
            shared,
            heard,
            connection,
            _tasks: tasks.map(OwnedTask::from),
        })
    }

    /// What was last heard, which can be old or wrong; none where nothing was,
    /// or nothing is built.
    #[must_use]
    pub fn latest(&self) -> Option<Sequence> {
        self.heard.borrow().sequence(None)
    }

    /// This moment: everything that is heard from here on is news.
    #[must_use]
    pub fn now(&self) -> Now {
        Now(self.heard.borrow().times)
    }

    /// Waits until there are news since `now` by which the read model may have
    /// come as far as `min`: the partition of the circle `of`, or all of it.
    /// Answers the new moment; the read that follows tells how far it has come.
    ///
    /// An outage and a read model that is not built are waited out; the
    /// deadline is the caller's, who may drop this at any time.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Refused`], which waiting does not cure.
    pub async fn news(&self, now: Now, min: Sequence, of: Option<CircleId>) -> Result<Now, Error> {
        let _waiting = Waiting::new(&self.shared);
        let partition = of.map(|id| self.connection.layout().partition_of(id));
        let enough = |heard: &Heard| {
            let reached = || heard.sequence(partition).is_some_and(|have| have >= min);
            heard.times > now.0 && (heard.fault(partition).is_some() || reached())
        };
        let mut heard = self.heard.clone();
        let news = heard.wait_for(enough).await.map(|heard| {
            let fault = heard.fault(partition).cloned();
            fault.map_or(Ok(Now(heard.times)), Err)
        });
        match news {
            Ok(news) => news,
            // The task lives as long as this.
            Err(_) => std::future::pending().await,
        }
    }

    /// What is heard from here on.
    pub(crate) fn heard(&self) -> watch::Receiver<Heard> {
        self.heard.clone()
    }
}

/// Counts a waiter as long as it lives.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared) -> Self {
        if shared.waiting.fetch_add(1, Ordering::SeqCst) == 0 {
            shared.begun.notify_one();
        }
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The task.
struct Follow {
    connection: Connection,
    shared: Arc<Shared>,
    heard: watch::Sender<Heard>,
}

impl Follow {
    async fn run(self, mut hints: Receiver<Message>) {
        let mut looked = Instant::now();
        // What is asked of every partition at once; meanwhile hints are heard.
        let mut looks = FuturesUnordered::new();
        loop {
            let anyone = self.shared.waiting.load(Ordering::SeqCst) > 0;
            tokio::select! {
                hint = hints.recv() => match hint {
                    Ok(hint) => self.hear(&hint),
                    Err(RecvError::Lagged(_)) => {}
                    // The client is there as long as this task.
                    Err(RecvError::Closed) => return,
                },
                () = sleep_until(looked + INTERVAL), if anyone && looks.is_empty() => {
                    looked = Instant::now();
                    looks.extend((0..self.connection.keys().len()).map(|n| self.look(n)));
                }
                Some(look) = looks.next() => self.see(look, looks.is_empty()),
                () = self.shared.begun.notified() => {
                    // What failed when somebody last looked may be cured.
                    self.heard.send_if_modified(|heard| {
                        heard.faults.fill(None);
                        false
                    });
                }
            }
        }
    }

    /// Takes in a hint, `{partition} {sequence}`.
    fn hear(&self, hint: &Message) {
        let Some(hint) = hint.value.as_bytes_str() else {
            return;
        };
        let hint = hint.split_once(' ').and_then(|(partition, sequence)| {
            let sequence: u64 = sequence.parse().ok()?;
            Some((partition.parse::<usize>().ok()?, Sequence::new(sequence)))
        });
        if let Some((partition, sequence)) = hint {
            self.heard.send_if_modified(|heard| {
                let known = heard.partitions.get_mut(partition);
                known.is_some_and(|known| {
                    *known = Some(sequence);
                    heard.times += 1;
                    true
                })
            });
        }
    }

    async fn look(&self, partition: usize) -> Look {
        let before = self.heard.borrow().partitions[partition];
        let key = &self.connection.keys()[partition].checkpoint;
        let stored: Result<Option<Bytes>, _> = self.connection.client().get(key).await;
        let seen = stored
            .map_err(|error| self.connection.explain(error, key))
            .and_then(|stored| {
                let checkpoint = stored.map(|stored| Checkpoint::decode(key, &stored));
                checkpoint.transpose()
            });
        Look {
            partition,
            before,
            seen: seen.map(|checkpoint| checkpoint.map(|checkpoint| checkpoint.sequence)),
        }
    }

    /// Takes in what was seen of a partition. The `last` one of a round is news even where all is
    /// as before: that may have been heard of too early.
    fn see(&self, look: Look, last: bool) {
        let (sequence, fault) = match look.seen {
            Ok(sequence) => (sequence, None),
            Err(error) => (None, Some(error).filter(|error| !error.is_transient())),
        };
        self.heard.send_if_modified(|heard| {
            let known = &mut heard.partitions[look.partition];
            let failed = &mut heard.faults[look.partition];
            // A hint that came meanwhile is the newer one, and was news itself.
            let hinted = *known != look.before;
            let is_news = *failed != fault || (!hinted && (last || *known != sequence));
            if !hinted {
                *known = sequence;
            }
            *failed = fault;
            heard.times += u64::from(is_news);
            is_news
        });
    }
}

/// A look at a partition.
struct Look {
    partition: usize,
    /// What was heard of it when the look began.
    before: Option<Sequence>,
    /// How far it has come; nowhere while it is not built.
    seen: Result<Option<Sequence>, Error>,
}

/// Subscribes on every new connection. Hints that were lost before are made up for by looks.
async fn subscribe(listener: Client, mut connects: Receiver<Server>) {
    loop {
        // A wait that was overrun by connects still ends with one.
        let _ = connects.recv().await;
        while let Err(error) = listener.subscribe(keys::APPLIED).await {
            tracing::debug!(%error, "no hints from Redis for now");
            tokio::time::sleep(INTERVAL).await;
        }
    }
}
