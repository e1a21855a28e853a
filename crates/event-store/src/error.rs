//! What can go wrong between us and the log.

use shared_domain::{CircleId, Misfit, PayloadError, Sequence, Version};
use sqlx::mysql::MySqlDatabaseError;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be reached, or refuses for a reason that passes by itself: a
    /// deadlock, a lock wait, a shutdown, a failover. Trying again is right. Where a commit was
    /// under way its outcome is unknown.
    #[error("the event log can't be reached at present: {0}")]
    Unavailable(#[source] sqlx::Error),

    /// The log holds something that no program of ours writes.
    #[error("the event log is damaged: {0}")]
    Damaged(#[from] Damage),

    /// The database refused a statement, which trying again will not change.
    #[error("the event log refused a statement: {0}")]
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
        1040 | 1203 | 1226 // too many connections, of all or of one user
        | 1047 // a node of a Galera cluster is not ready
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
        | 2003 // a router reaches no server behind it
        | 3024 // execution time exceeded
        | 3032 // offline mode
        | 3100 | 3101 // group replication: rolled back, to be tried again
        | 4031 // disconnected by the server for inactivity
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_pass_by_themselves_are_told_from_refusals() {
        for number in [1040, 1047, 1053, 1159, 1205, 1213, 1226, 1290, 2003, 3032] {
            assert!(passes(number), "{number}");
        }
        // A wrong password, a missing right, table or column, a key that is there already, a wrong statement.
        for number in [1044, 1045, 1142, 1146, 1054, 1062, 1064] {
            assert!(!passes(number), "{number}");
        }
    }

    #[test]
    fn an_error_tells_its_cause() {
        let error = StoreError::from(sqlx::Error::RowNotFound);
        assert!(!error.is_transient());
        assert!(
            error
                .to_string()
                .ends_with(&sqlx::Error::RowNotFound.to_string())
        );
    }
}
