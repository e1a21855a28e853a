//! Makes and updates the tables.

use std::time::Duration;

use sqlx::migrate::{MigrateDatabase as _, Migrator};
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{Connection as _, MySql};

use crate::error::{StoreError, number};

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("../../migrations");
    // Its own lock waits with GET_LOCK(.., -1), which MariaDB refuses: we take one ourselves.
    migrator.set_locking(false);
    migrator
}

/// How long a second migration waits for the first.
const LOCK_PATIENCE: Duration = Duration::from_secs(120);

/// Why the tables could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database did not answer as expected.
    #[error(transparent)]
    Store(#[from] StoreError),

    /// Another migration has been running for longer than this one waits.
    #[error("another migration holds the lock")]
    Locked,

    /// A migration failed, or the database has one that this program does not know.
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
    let mut connection = match MySqlConnection::connect(url).await {
        Err(error) if number(&error) == Some(UNKNOWN_DATABASE) => {
            create_database(url).await?;
            MySqlConnection::connect(url).await
        }
        other => other,
    }
    .map_err(StoreError::from)?;
    lock(&mut connection).await?;
    let result = migrator().run(&mut connection).await;
    // The lock goes with the connection, whatever became of the migrations. With TLS, whoever says good-bye second finds
    // the other one gone, which is no failure of theirs.
    let _ = connection.close().await;
    result.map_err(sorted)
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
