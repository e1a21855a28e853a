//! The statement that appends events, without all that surrounds it.

use serde::Serialize;
use sqlx::mysql::MySqlConnection;
use sqlx::{Connection as _, Error};
use uuid::Uuid;

use crate::circles::new_circle;

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

/// As `event-store` has it.
#[derive(Serialize)]
struct Row {
    sequence: u64,
    id: Uuid,
    circle_id: Uuid,
    version: i32,
    event_type: &'static str,
    payload: String,
    metadata: &'static str,
    occurred_at: &'static str,
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
        let rows = serde_json::to_string(&rows).map_err(|error| Error::Encode(error.into()))?;
        sqlx::query(INSERT)
            .bind(rows)
            .execute(&mut self.connection)
            .await?;
        Ok(())
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
            occurred_at: "2026-01-01 12:00:00.000000",
        }
    }

    pub(super) async fn close(self) -> Result<(), Error> {
        self.connection.close().await
    }
}

const INSERT: &str = "\
    INSERT INTO circle_events \
        (sequence, id, circle_id, version, event_type, payload, metadata, occurred_at) \
    SELECT item.sequence, item.id, item.circle_id, item.version, item.event_type, \
           item.payload, item.metadata, item.occurred_at \
    FROM JSON_TABLE(?, '$[*]' COLUMNS ( \
             sequence BIGINT UNSIGNED PATH '$.sequence', \
             id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin PATH '$.id', \
             circle_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin PATH '$.circle_id', \
             version INT PATH '$.version', \
             event_type VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin PATH '$.event_type', \
             payload LONGTEXT CHARACTER SET utf8mb4 PATH '$.payload', \
             metadata LONGTEXT CHARACTER SET utf8mb4 PATH '$.metadata', \
             occurred_at DATETIME(6) PATH '$.occurred_at' \
         )) AS item";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A ceiling of another statement would be none.
    #[test]
    fn event_store_appends_by_the_same_statement() {
        let words = |text: &str| -> Vec<String> {
            text.replace('\\', " ")
                .split_whitespace()
                .map(String::from)
                .collect()
        };
        let ours = words(INSERT).join(" ");
        let sources = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../event-store/src"));
        let found = sources.unwrap().any(|source| {
            let path = source.unwrap().path();
            path.is_file()
                && words(&fs::read_to_string(path).unwrap())
                    .join(" ")
                    .contains(&ours)
        });
        assert!(found, "event-store has changed its statement");
    }
}
