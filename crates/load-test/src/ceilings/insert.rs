//! The statement that appends events, without all that surrounds it.

use sqlx::mysql::MySqlConnection;
use sqlx::{Connection as _, Error};
use uuid::Uuid;

use crate::circles::new_circle;
use crate::log_rows::{self, Row};

pub(super) async fn server_version(url: &str) -> Result<String, Error> {
    let mut connection = MySqlConnection::connect(url).await?;
    let version = sqlx::query_scalar("SELECT VERSION()")
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    Ok(version)
}

/// A connection that inserts batch after batch.
pub(super) struct Inserter {
    connection: MySqlConnection,
    sequence: u64,
}

impl Inserter {
    pub(super) async fn connect(url: &str) -> Result<Self, Error> {
        let mut connection = MySqlConnection::connect(url).await?;
        let sequence: u64 = sqlx::query_scalar(
            "SELECT CAST(COALESCE(MAX(sequence), 0) AS UNSIGNED) FROM circle_events",
        )
        .fetch_one(&mut connection)
        .await?;
        Ok(Self {
            connection,
            sequence,
        })
    }

    /// Inserts so many events in a transaction of their own, and waits for the commit.
    pub(super) async fn insert(&mut self, batch: usize) -> Result<(), Error> {
        let rows: Vec<Row> = (0..batch).map(|_| self.row()).collect();
        log_rows::insert(&mut self.connection, &rows).await
    }

    fn row(&mut self) -> Row {
        self.sequence += 1;
        let circle = new_circle();
        let (name, capacity) = (circle.name, circle.capacity);
        Row {
            sequence: self.sequence,
            id: Uuid::now_v7(),
            circle_id: Uuid::now_v7(),
            version: 1,
            event_type: "CircleCreated",
            payload: format!(
                r#"{{"type":"circle_created","name":"{name}","capacity":{capacity}}}"#
            ),
            metadata: "{}",
            occurred_at: "2026-01-01 12:00:00.000000".to_owned(),
        }
    }

    pub(super) async fn close(self) -> Result<(), Error> {
        self.connection.close().await
    }
}
