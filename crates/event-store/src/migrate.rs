//! Makes and updates the tables.

use std::time::Duration;

use sqlx::migrate::{MigrateDatabase as _, Migrator};
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{Connection as _, MySql};

use crate::error::{StoreError, number};
use crate::store::{PATIENCE, in_time, within};

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("../../migrations");
    // Its own lock waits with GET_LOCK(.., -1), which MariaDB refuses: we take one ourselves.
    migrator.set_locking(false);
    // Going back to an older release leaves the tables of the newer one, which are good for both.
    migrator.set_ignore_missing(true);
    migrator
}

/// How long a second migration waits for the first.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);

/// How long the migrations may take before the connection counts as lost. Changing the table of a large log takes long.
const RUN_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// Why the tables could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database did not answer as expected.
    #[error(transparent)]
    Store(#[from] StoreError),

    /// Another migration has been running for longer than this one waits.
    #[error("another migration holds the lock")]
    Locked,

    /// A migration failed.
    #[error("migration failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

/// Creates the database where it is missing, and runs the migrations that have not run.
///
/// Safe when started several times at once: the second waits for the first and finds
/// nothing to do.
///
/// # Errors
///
/// [`MigrateError`], with the database as the last complete migration left it; MySQL can't
/// roll back a change of tables.
pub async fn migrate(url: &str) -> Result<(), MigrateError> {
    let mut connection = match in_time(MySqlConnection::connect(url)).await? {
        Err(error) if number(&error) == Some(UNKNOWN_DATABASE) => {
            in_time(create_database(url)).await??;
            in_time(MySqlConnection::connect(url)).await?
        }
        other => other,
    }
    .map_err(StoreError::from)?;
    within(LOCK_PATIENCE + PATIENCE, lock(&mut connection)).await??;
    let result = within(RUN_PATIENCE, run(&mut connection)).await?;
    // The lock goes with the connection, whatever became of the migrations. With TLS, whoever says good-bye second finds
    // the other one gone, which is no failure of theirs.
    let _ = in_time(connection.close()).await;
    result
}

/// Runs what has not run. A migration that was cut off, as by the end of its process, is begun anew: MySQL can't roll
/// back a change of tables, but what was made can be removed.
async fn run(connection: &mut MySqlConnection) -> Result<(), MigrateError> {
    let result = migrator().run(&mut *connection).await;
    let Err(sqlx::migrate::MigrateError::Dirty(version)) = result else {
        return result.map_err(sorted);
    };
    let Some(remains) = REMAINS.iter().find(|remains| remains.version == version) else {
        return result.map_err(sorted);
    };
    tracing::warn!(version, "this migration was cut off; beginning it anew");
    remains.remove(connection).await?;
    migrator().run(connection).await.map_err(sorted)
}

/// What a migration leaves behind that did not come to its end. No service has used it: they wait for the last one.
struct Remains {
    version: i64,
    /// Finds something that is there only after use, to be sure.
    used: &'static str,
    remove: &'static str,
}

/// Of all migrations so far. One that changes a table which is in use can't be undone so, and has to be written to be
/// run twice instead.
const REMAINS: [Remains; 3] = [
    Remains {
        version: 1,
        used: "SELECT 1 FROM circle_events LIMIT 1",
        remove: "DROP TABLE IF EXISTS circle_events",
    },
    Remains {
        version: 2,
        used: "SELECT 1 FROM log_head WHERE last_sequence > 0 LIMIT 1",
        remove: "DROP TABLE IF EXISTS log_head",
    },
    Remains {
        version: 3,
        used: "SELECT 1 FROM circle_snapshots LIMIT 1",
        remove: "DROP TABLE IF EXISTS circle_snapshots",
    },
];

impl Remains {
    async fn remove(&self, connection: &mut MySqlConnection) -> Result<(), MigrateError> {
        let used = sqlx::query(self.used).fetch_optional(&mut *connection);
        match used.await {
            // Nobody knows how that came about, so nothing is removed.
            Ok(Some(_)) => return Err(sqlx::migrate::MigrateError::Dirty(self.version).into()),
            Ok(None) => {}
            Err(error) if number(&error) == Some(UNKNOWN_TABLE) => {}
            Err(error) => return Err(StoreError::from(error).into()),
        }
        let removed = sqlx::query(self.remove).execute(&mut *connection).await;
        removed.map_err(StoreError::from)?;
        let forgotten =
            sqlx::query("DELETE FROM _sqlx_migrations WHERE version = ? AND NOT success")
                .bind(self.version)
                .execute(connection)
                .await;
        forgotten.map_err(StoreError::from)?;
        Ok(())
    }
}

/// A connection that breaks before a migration has begun, or between two of them, is the database's
/// trouble and no migration's.
fn sorted(error: sqlx::migrate::MigrateError) -> MigrateError {
    match error {
        sqlx::migrate::MigrateError::Execute(error) => match StoreError::from(error) {
            error @ StoreError::Unavailable(_) => error.into(),
            StoreError::Refused(error) => sqlx::migrate::MigrateError::Execute(error).into(),
            error @ StoreError::Damaged(_) => error.into(),
        },
        other => other.into(),
    }
}

pub(crate) const UNKNOWN_DATABASE: u16 = 1049;
const DATABASE_EXISTS: u16 = 1007;
const UNKNOWN_TABLE: u16 = 1146;

async fn create_database(url: &str) -> Result<(), StoreError> {
    match MySql::create_database(url).await {
        // Another migration was faster.
        Err(error) if number(&error) == Some(DATABASE_EXISTS) => Ok(()),
        other => Ok(other?),
    }
}

async fn lock(connection: &mut MySqlConnection) -> Result<(), MigrateError> {
    // Locks are the server's, not the database's: the name carries the database's.
    let got: Option<i64> =
        sqlx::query_scalar("SELECT GET_LOCK(LEFT(CONCAT('circles:', DATABASE()), 64), ?)")
            .bind(LOCK_PATIENCE.as_secs())
            .fetch_one(connection)
            .await
            .map_err(StoreError::from)?;
    if got == Some(1) {
        Ok(())
    } else {
        Err(MigrateError::Locked)
    }
}

/// The newest migration that this program knows.
pub(crate) fn newest() -> i64 {
    migrator()
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// The last migration that ran to its end; 0 for none.
pub(crate) async fn last_applied(pool: &MySqlPool) -> Result<i64, StoreError> {
    let last = sqlx::query_scalar::<_, Option<i64>>(
        "SELECT MAX(version) FROM _sqlx_migrations WHERE success = TRUE",
    )
    .fetch_one(pool)
    .await;
    match last {
        Ok(version) => Ok(version.unwrap_or(0)),
        Err(error) if number(&error) == Some(UNKNOWN_TABLE) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
