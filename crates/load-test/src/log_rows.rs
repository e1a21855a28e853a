//! Events as rows of the log, and the statement that `event-store` appends them by.

use serde::Serialize;
use sqlx::mysql::MySqlConnection;
use sqlx::{Error, query};
use uuid::Uuid;

/// As `event-store` has it.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) sequence: u64,
    pub(crate) id: Uuid,
    pub(crate) circle_id: Uuid,
    pub(crate) version: i32,
    pub(crate) event_type: &'static str,
    pub(crate) payload: String,
    pub(crate) metadata: &'static str,
    pub(crate) occurred_at: String,
}

/// Inserts all of them by one statement, and nothing else: the head of the log stays where it is.
pub(crate) async fn insert(connection: &mut MySqlConnection, rows: &[Row]) -> Result<(), Error> {
    let rows = serde_json::to_string(rows).map_err(|error| Error::Encode(error.into()))?;
    query(INSERT).bind(rows).execute(connection).await?;
    Ok(())
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
