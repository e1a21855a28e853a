//! What can go wrong between us and the log.

use shared_domain::{CircleId, Misfit, PayloadError, Sequence, Version};
use sqlx::mysql::MySqlDatabaseError;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be reached, or refuses for a reason that passes by itself: a
    /// deadlock, a lock wait, a shutdown, a failover. Trying again is right. Where a commit was
    /// under way its outcome is unknown.
    #[error("the event log can't be reached at present")]
    Unavailable(#[source] sqlx::Error),

    /// The log holds something that no program of ours writes.
    #[error("the event log is damaged: {0}")]
    Damaged(#[from] Damage),

    /// The database refused a statement, which trying again will not change.
    #[error("the event log refused a statement")]
    Refused(#[source] sqlx::Error),
}

/// What is wrong with the log.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// Events are missing in the middle.
    #[error("after event {after} comes event {found}")]
    Hole {
        /// The last event before the hole.
        after: Sequence,
        /// The first event behind it.
        found: Sequence,
    },

    /// A column holds what its type does not allow.
    #[error("event {sequence} has an impossible {column}")]
    Column {
        /// The event.
        sequence: Sequence,
        /// The column.
        column: &'static str,
    },

    /// An event can't be read.
    #[error("event {sequence} can't be read: {cause}")]
    Payload {
        /// The event.
        sequence: Sequence,
        /// Why.
        #[source]
        cause: PayloadError,
    },

    /// A circle's versions have a hole.
    #[error("circle {circle_id} has version {found} after {after:?}")]
    VersionHole {
        /// The circle.
        circle_id: CircleId,
        /// The version before the hole.
        after: Option<Version>,
        /// The one behind it.
        found: Version,
    },

    /// An event can't follow those before it.
    #[error("event {sequence} can't follow the circle's state: {cause}")]
    Misfit {
        /// The event.
        sequence: Sequence,
        /// Why.
        #[source]
        cause: Misfit,
    },

    /// The row of `log_head` is missing.
    #[error("log_head has no row")]
    NoHead,
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let transient = match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(_) => number(&error).is_some_and(passes),
            _ => false,
        };
        if transient {
            Self::Unavailable(error)
        } else {
            Self::Refused(error)
        }
    }
}

/// The error number that the server gave.
pub(crate) fn number(error: &sqlx::Error) -> Option<u16> {
    error
        .as_database_error()?
        .try_downcast_ref::<MySqlDatabaseError>()
        .map(|e| e.number())
}

/// Errors of the server that pass by themselves, from the reference of MySQL and MariaDB.
fn passes(number: u16) -> bool {
    matches!(
        number,
        1040 // too many connections
        | 1053 // server shutdown in progress
        | 1152 // aborted connection
        | 1158
            ..=1161 // network read or write failed or timed out
        | 1205 // lock wait timeout
        | 1213 // deadlock
        | 1290 // read only, as during a failover
        | 1317 // query interrupted
        | 1792 // read-only transaction
        | 1836 // read-only mode
        | 1927 // connection killed (MariaDB)
        | 3024 // execution time exceeded
        | 3100 | 3101 // group replication: rolled back, to be tried again
        | 4031 // disconnected by the server for inactivity
    )
}
