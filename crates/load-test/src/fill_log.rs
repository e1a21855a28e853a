//! `load-test fill-log`: writes a log of many events straight into the database.
//!
//! By commands it would take minutes, and they create circles far faster than they change them.

use std::error::Error;

use sqlx::mysql::MySqlConnection;
use sqlx::{Connection as _, query, query_scalar};

use crate::args::FillLog;
use crate::log_rows::{self, Row};
use crate::made_up_log::MadeUpLog;

/// Events in one transaction.
const BATCH: usize = 5_000;

/// Makes the tables where they are missing, and fills the log, which must be empty.
///
/// No service may append meanwhile.
pub(crate) async fn run(arguments: &FillLog) -> Result<(), Box<dyn Error>> {
    event_store::migrate(&arguments.mysql_url).await?;
    let mut connection = MySqlConnection::connect(&arguments.mysql_url).await?;
    let head: u64 = query_scalar("SELECT last_sequence FROM log_head WHERE id = 1")
        .fetch_one(&mut connection)
        .await?;
    if head > 0 {
        return Err(format!("the log has {head} events already; it must be empty").into());
    }
    let log = MadeUpLog::new(arguments.events, arguments.circles);
    let mut rows = Vec::with_capacity(BATCH);
    for event in log {
        rows.push(event.row());
        if rows.len() == BATCH {
            append(&mut connection, &rows).await?;
            rows.clear();
        }
    }
    append(&mut connection, &rows).await?;
    connection.close().await?;
    let (events, circles) = (arguments.events, arguments.circles);
    println!("{events} events of {circles} circles are in the log");
    Ok(())
}

/// As `event-store` does: the head moves in the same transaction.
async fn append(connection: &mut MySqlConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    let Some(last) = rows.last() else {
        return Ok(());
    };
    let mut transaction = connection.begin().await?;
    query("UPDATE log_head SET last_sequence = ? WHERE id = 1")
        .bind(last.sequence)
        .execute(&mut *transaction)
        .await?;
    log_rows::insert(&mut transaction, rows).await?;
    transaction.commit().await
}
