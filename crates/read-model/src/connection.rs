//! The connections to Redis, kept up for ever.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use fred::bytes::Bytes;
use fred::clients::{Client, Pool, WithOptions};
use fred::error::ErrorKind;
use fred::interfaces::{ClientLike, EventInterface, KeysInterface};
use fred::types::config::Options;
use fred::types::{InfoKind, Key};
use futures_util::future::try_join_all;

use crate::config::Config;
use crate::error::{Error, SetupError};
use crate::keys::{Keys, Layout};
use crate::task::OwnedTask;

/// How many questions have to be without an answer before a connection counts as lost. A script that
/// takes long keeps Redis from answering, too.
const SILENT: u32 = 2;

/// How long to wait before a client that gave up is started again.
const RESTART_DELAY: Duration = Duration::from_millis(500);

/// A few connections to one Redis, shared by all clones.
///
/// They are opened in the background and again, for ever, whenever they are
/// lost; a command that finds none waits for one up to its timeout. They close
/// when the last clone is dropped.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    layout: Layout,
    keys: Vec<Arc<Keys>>,
    pool: Pool,
    fault: Arc<Fault>,
    commands: AtomicU64,
    _tasks: Vec<OwnedTask>,
}

/// Why there is no connection, as long as there is none.
pub(crate) type Fault = RwLock<Option<fred::error::Error>>;

impl Connection {
    /// Begins to connect, and does not wait for it: a Redis that is down is no
    /// error here. See [`connected`](Self::connected) and [`ping`](Self::ping).
    ///
    /// # Errors
    ///
    /// [`SetupError::Url`] and [`SetupError::Zero`] where `config` can't be used.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn open(config: &Config) -> Result<Self, SetupError> {
        config.check()?;
        let pool = Pool::new(
            config.server()?,
            Some(config.performance()),
            Some(config.connection()),
            Some(Config::reconnect()),
            config.pool_size,
        )
        .map_err(|error| SetupError::Redis(Error::Refused(error)))?;
        let fault = Arc::new(Fault::default());
        let tasks = pool
            .clients()
            .iter()
            .map(|client| tokio::spawn(keep_up(client.clone(), Arc::clone(&fault))).into())
            .collect();
        Ok(Self {
            shared: Arc::new(Shared {
                config: config.clone(),
                layout: config.layout(),
                keys: config.layout().keys().into_iter().map(Arc::new).collect(),
                pool,
                fault,
                commands: AtomicU64::new(0),
                _tasks: tasks,
            }),
        })
    }

    /// Waits until Redis answers, however long that takes.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] where Redis answers that it won't serve, which
    /// waiting does not change.
    pub async fn connected(&self) -> Result<(), Error> {
        loop {
            match self.ping().await {
                Err(Error::Unreachable(error)) => {
                    tracing::debug!(%error, "still no answer from Redis");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                answer => return answer,
            }
        }
    }

    /// Asks Redis for a sign of life.
    ///
    /// # Errors
    ///
    /// [`Error::Unreachable`] without an answer in time, [`Error::Refused`]
    /// where it does not let us in.
    pub async fn ping(&self) -> Result<(), Error> {
        let answer: Result<String, _> = self.client().ping(None).await;
        answer.map(drop).map_err(|error| self.explain(error, ""))
    }

    /// Checks that Redis, or every node of a cluster, never drops keys to make
    /// room. Where it doesn't tell, as some hosted ones, there is only a warning.
    ///
    /// # Errors
    ///
    /// [`SetupError::EvictionPolicy`] where it might, [`SetupError::Redis`]
    /// where the check failed.
    pub async fn require_noeviction(&self) -> Result<(), SetupError> {
        let nodes = nodes(self.client()).into_iter();
        let checks = nodes.map(|node| self.require_noeviction_of(node));
        try_join_all(checks).await.map(drop)
    }

    async fn require_noeviction_of(&self, node: WithOptions<Client>) -> Result<(), SetupError> {
        // INFO tells the same as CONFIG GET, which more servers forbid.
        let info: Result<String, _> = node.info(Some(InfoKind::Memory)).await;
        let info = match info.map_err(|error| self.explain(error, "")) {
            Ok(info) => info,
            Err(Error::Refused(error)) => {
                tracing::warn!(%error, "can't check that Redis has maxmemory-policy noeviction");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let policy = info
            .lines()
            .find_map(|line| line.strip_prefix("maxmemory_policy:"));
        match policy.map(str::trim) {
            Some("noeviction") => Ok(()),
            Some(found) => Err(SetupError::EvictionPolicy {
                found: found.to_owned(),
            }),
            None => {
                tracing::warn!("Redis does not tell its maxmemory-policy; it must be noeviction");
                Ok(())
            }
        }
    }

    /// The connection for one command.
    pub(crate) fn client(&self) -> &Client {
        self.shared.commands.fetch_add(1, Ordering::Relaxed);
        self.shared.pool.next_connected()
    }

    /// How many commands were sent so far, each of which is a round trip.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.shared.commands.load(Ordering::Relaxed)
    }

    /// What strings hold, in one command; `blame` names them in an error.
    pub(crate) async fn read(
        &self,
        mut keys: Vec<Key>,
        blame: &str,
    ) -> Result<Vec<Option<Bytes>>, Error> {
        // The client takes an answer of three or four texts for a message of a
        // channel where the first one is `message` or the like.
        let count = keys.len();
        while (1..5).contains(&keys.len()) {
            keys.push(keys[0].clone());
        }
        let stored: Result<Vec<_>, _> = self.client().mget(keys).await;
        let mut stored = stored.map_err(|error| self.explain(error, blame))?;
        stored.truncate(count);
        Ok(stored)
    }

    /// How the read models are spread.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.shared.layout
    }

    /// The keys of every partition.
    pub(crate) fn keys(&self) -> &[Arc<Keys>] {
        &self.shared.keys
    }

    /// The logical database.
    pub(crate) fn database(&self) -> Result<u8, SetupError> {
        Ok(self.shared.config.server()?.database.unwrap_or(0))
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Sorts a failed command. A command that waited in vain for a connection
    /// knows of its timeout only; the reason is why there is no connection.
    pub(crate) fn explain(&self, error: fred::error::Error, keys: &str) -> Error {
        let waited = matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Backpressure);
        if waited && !self.shared.pool.next_connected().is_connected() {
            let fault = self.shared.fault.read();
            let fault = fault.unwrap_or_else(PoisonError::into_inner);
            if let Some(reason) = fault.as_ref() {
                return Error::of_command(reason.clone(), keys);
            }
        }
        Error::of_command(error, keys)
    }
}

/// Runs one client for ever, and remembers why it last failed to connect.
pub(crate) async fn keep_up(client: Client, fault: Arc<Fault>) {
    let mut faults = client.error_rx();
    let mut connects = client.reconnect_rx();
    let _watch = OwnedTask::from(tokio::spawn(replace_when_silent(client.clone())));
    loop {
        let mut run = OwnedTask::from(client.connect());
        let ended = loop {
            tokio::select! {
                ended = &mut run => break ended,
                Ok((error, _)) = faults.recv() => remember(&fault, error),
                Ok(_) = connects.recv() => forget(&fault),
            }
        };
        // The client ends by itself on what it takes for fatal, and when its
        // own note to reconnect finds the queue full.
        tracing::error!(?ended, "the Redis client gave up and is started again");
        tokio::time::sleep(RESTART_DELAY).await;
    }
}

/// Replaces a connection on which no answer comes back, as where it was lost without a word.
///
/// The client itself counts from its last command, which in use is never long ago. Of a cluster it
/// would keep what looks like a connection; there `user_timeout` of the configuration serves.
async fn replace_when_silent(client: Client) {
    let patience = client.connection_config().internal_command_timeout;
    let mut silent = 0;
    loop {
        tokio::time::sleep(patience / 2).await;
        if client.is_connected() && is_silent(&client).await {
            silent += 1;
        } else {
            silent = 0;
        }
        if silent == SILENT {
            tracing::warn!("Redis does not answer any more; connecting anew");
            // It fails like any other connection, and is tried again like that.
            let _ = client.force_reconnection().await;
            silent = 0;
        }
    }
}

async fn is_silent(client: &Client) -> bool {
    let answer: Result<String, _> = client.ping(None).await;
    answer.is_err_and(|error| *error.kind() == ErrorKind::Timeout)
}

/// The nodes of a cluster that the client is connected to, or else its only server. A command
/// without a key goes to any of them otherwise.
fn nodes(client: &Client) -> Vec<WithOptions<Client>> {
    let mut nodes: Vec<_> = match client.is_clustered() {
        true => client.active_connections().into_iter().map(Some).collect(),
        false => Vec::new(),
    };
    if nodes.is_empty() {
        nodes.push(None);
    }
    let at = |cluster_node| {
        client.with_options(&Options {
            cluster_node,
            ..Options::default()
        })
    };
    nodes.into_iter().map(at).collect()
}

fn remember(fault: &Fault, error: fred::error::Error) {
    let mut last = fault.write().unwrap_or_else(PoisonError::into_inner);
    // One line per reason, not one per attempt.
    if last.as_ref() == Some(&error) {
        tracing::debug!(%error, "no connection to Redis");
    } else {
        tracing::warn!(%error, "no connection to Redis");
    }
    *last = Some(error);
}

fn forget(fault: &Fault) {
    let mut last = fault.write().unwrap_or_else(PoisonError::into_inner);
    if last.take().is_some() {
        tracing::info!("connected to Redis again");
    }
}
