//! The connection to the log.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPool, MySqlPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions as _, MySql};

use crate::Config;
use crate::durability::{self, Unsafe};
use crate::error::{StoreError, number};
use crate::migrate::{self, UNKNOWN_DATABASE};

/// The event log. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct EventStore {
    pub(crate) pool: MySqlPool,
    pub(crate) ignored_snapshots: Arc<AtomicU64>,
}

/// Why the log can't be used as it is set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The URL can't be read. Its text is not repeated here, as it may hold a password.
    #[error("the MySQL URL can't be read")]
    Url,

    /// The database did not answer as expected.
    #[error(transparent)]
    Store(#[from] StoreError),

    /// The database or its tables are missing, or older than this program.
    #[error(
        "the database is at migration {found}, this program needs {needed}: run `command-service migrate`"
    )]
    NotMigrated {
        /// The last migration that ran; 0 for none.
        found: i64,
        /// The last migration that this program knows.
        needed: i64,
    },

    /// A setting of the server breaks the promise that an acknowledged command is durable.
    #[error("the MySQL server is not durable: {0}")]
    Unsafe(#[from] Unsafe),
}

impl EventStore {
    /// Opens a first connection, and others as they are needed.
    ///
    /// # Errors
    ///
    /// [`SetupError::Url`], [`SetupError::NotMigrated`] where there is no such database yet, or
    /// [`SetupError::Store`] where the server does not answer.
    pub async fn connect(config: &Config) -> Result<Self, SetupError> {
        let options = MySqlConnectOptions::from_str(&config.url).map_err(|_| SetupError::Url)?;
        let pool = MySqlPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(config.acquire_timeout)
            .idle_timeout(IDLE)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(SESSION).execute(connection).await?;
                    Ok(())
                })
            })
            .connect_with(options)
            .await
            .map_err(|error| match number(&error) {
                // `migrate` creates the database, too.
                Some(UNKNOWN_DATABASE) => SetupError::NotMigrated {
                    found: 0,
                    needed: migrate::newest(),
                },
                _ => StoreError::from(error).into(),
            })?;
        Ok(Self {
            pool,
            ignored_snapshots: Arc::default(),
        })
    }

    /// Checks that the tables are those that this program was written for.
    ///
    /// # Errors
    ///
    /// [`SetupError::NotMigrated`], or [`SetupError::Store`].
    pub async fn require_migrated(&self) -> Result<(), SetupError> {
        let found = in_time(migrate::last_applied(&self.pool)).await??;
        let needed = migrate::newest();
        if found < needed {
            return Err(SetupError::NotMigrated { found, needed });
        }
        Ok(())
    }

    /// Checks that the server writes a commit to disk before it answers.
    ///
    /// # Errors
    ///
    /// [`SetupError::Unsafe`] names the setting, or [`SetupError::Store`].
    pub async fn require_durable(&self) -> Result<(), SetupError> {
        in_time(durability::check(&self.pool)).await?
    }

    /// How many snapshots could not be used since this store was opened: of another schema, or
    /// corrupt. Their circles were loaded from the log alone, which is slower and no less right.
    #[must_use]
    pub fn ignored_snapshots(&self) -> u64 {
        self.ignored_snapshots.load(Ordering::Relaxed)
    }

    /// Lends a connection for some work, which is to be done within [`PATIENCE`].
    pub(crate) async fn lend<T>(
        &self,
        work: impl AsyncFnOnce(&mut MySqlConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.lend_for(PATIENCE, work).await
    }

    /// Lends a connection for so long at most.
    ///
    /// It can be lost without a word, and then nobody would ever hear of it. One whose work did
    /// not come to its end does not go back: the pool would wait for it, too.
    pub(crate) async fn lend_for<T>(
        &self,
        limit: Duration,
        work: impl AsyncFnOnce(&mut MySqlConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut lent = Lent {
            connection: self.pool.acquire().await?,
            is_whole: false,
        };
        let result = within(limit, work(&mut lent.connection)).await?;
        lent.is_whole = !matches!(result, Err(StoreError::Unavailable(_)));
        result
    }

    /// Opens a connection beside the pool, for somebody who keeps it. It belongs to the runtime in which it is opened.
    pub(crate) async fn connection(&self) -> Result<MySqlConnection, StoreError> {
        let limit = self.pool.options().get_acquire_timeout();
        let opened = within(limit, async {
            let mut connection = self.pool.connect_options().connect().await?;
            sqlx::raw_sql(SESSION).execute(&mut connection).await?;
            Ok(connection)
        });
        opened.await.flatten()
    }

    /// Closes the connections, when all calls under way have ended.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A connection of the pool.
struct Lent {
    connection: PoolConnection<MySql>,
    /// Whether it is as it was before.
    is_whole: bool,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.is_whole {
            self.connection.close_on_drop();
        }
    }
}

/// How long the server may take to answer before the connection counts as lost.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The same where an answer takes long by itself, and nobody waits for it.
pub(crate) const LONG: Duration = Duration::from_secs(300);

/// Waits for the server, but not for ever. A connection that was waited for in vain is not to be
/// used again.
pub(crate) async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, StoreError> {
    within(PATIENCE, work).await
}

pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, work)
        .await
        .map_err(|elapsed| StoreError::Unavailable(sqlx::Error::Io(elapsed.into())))
}

/// How long a connection may be unused before it is closed: less than `wait_timeout`.
pub(crate) const IDLE: Duration = Duration::from_secs(5);

/// Said once on every connection, so that nothing depends on the server's own settings.
///
/// READ COMMITTED: a tail never sees an event before its commit, and an append under the
/// head row sees every commit before its own. The strict mode refuses a value that does not fit
/// instead of cutting it. Waiting for a lock fails early enough to be tried again within a
/// client's patience. A client that says nothing for longer than `wait_timeout` is gone, perhaps
/// with its whole machine and without a word: what it held, perhaps the head row, is let go.
const SESSION: &str = "\
    SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
    SET SESSION autocommit = 1, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
        innodb_lock_wait_timeout = 3, wait_timeout = 10";
