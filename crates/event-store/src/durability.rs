//! Settings of the server that would break the promise of durability.

use sqlx::mysql::MySqlPool;

use crate::error::StoreError;
use crate::store::SetupError;

/// A setting under which a crash of the server loses acknowledged commands.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsafe {
    /// The redo log is not flushed at every commit.
    #[error("innodb_flush_log_at_trx_commit is {0}, which must be 1")]
    RedoLog(i64),

    /// The binary log is on, and not flushed at every commit.
    #[error("sync_binlog is {0} while the binary log is on, which must be 1")]
    BinaryLog(i64),
}

/// What the server's settings are.
#[derive(sqlx::FromRow)]
struct Settings {
    redo_flush: i64,
    log_bin: i64,
    sync_binlog: i64,
}

const SETTINGS: &str = "\
    SELECT CAST(@@GLOBAL.innodb_flush_log_at_trx_commit AS SIGNED) AS redo_flush, \
           CAST(@@GLOBAL.log_bin AS SIGNED) AS log_bin, \
           CAST(@@GLOBAL.sync_binlog AS SIGNED) AS sync_binlog";

pub(crate) async fn check(pool: &MySqlPool) -> Result<(), SetupError> {
    let settings: Settings = sqlx::query_as(SETTINGS)
        .fetch_one(pool)
        .await
        .map_err(StoreError::from)?;
    Ok(judge(&settings)?)
}

fn judge(settings: &Settings) -> Result<(), Unsafe> {
    if settings.redo_flush != 1 {
        return Err(Unsafe::RedoLog(settings.redo_flush));
    }
    if settings.log_bin != 0 && settings.sync_binlog != 1 {
        return Err(Unsafe::BinaryLog(settings.sync_binlog));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(redo_flush: i64, log_bin: i64, sync_binlog: i64) -> Settings {
        Settings {
            redo_flush,
            log_bin,
            sync_binlog,
        }
    }

    #[test]
    fn full_durability_passes() {
        assert_eq!(judge(&settings(1, 0, 0)), Ok(()));
        assert_eq!(judge(&settings(1, 1, 1)), Ok(()));
    }

    #[test]
    fn a_redo_log_flushed_once_a_second_is_refused() {
        assert_eq!(judge(&settings(2, 0, 1)), Err(Unsafe::RedoLog(2)));
        assert_eq!(judge(&settings(0, 0, 1)), Err(Unsafe::RedoLog(0)));
    }

    #[test]
    fn a_binary_log_left_to_the_system_is_refused() {
        assert_eq!(judge(&settings(1, 1, 0)), Err(Unsafe::BinaryLog(0)));
        assert_eq!(judge(&settings(1, 1, 100)), Err(Unsafe::BinaryLog(100)));
    }
}
