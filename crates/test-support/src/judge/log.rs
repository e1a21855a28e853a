//! The log as SQL shows it.

use crate::mysql::Database;

/// A row of `circle_events`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Event {
    pub(super) sequence: u64,
    pub(super) id: String,
    pub(super) circle_id: String,
    pub(super) version: i32,
    pub(super) event_type: String,
    pub(super) payload: String,
    pub(super) metadata: String,
    /// As `2026-11-23T04:05:06.000007Z`.
    pub(super) occurred_at: String,
}

/// All events, in their order.
pub(super) async fn read(log: &Database) -> Vec<Event> {
    sqlx::query_as(
        "SELECT sequence, id, circle_id, version, event_type, \
           CAST(payload AS CHAR) AS payload, CAST(metadata AS CHAR) AS metadata, \
           CAST(DATE_FORMAT(occurred_at, '%Y-%m-%dT%H:%i:%s.%fZ') AS CHAR) AS occurred_at \
         FROM circle_events ORDER BY sequence",
    )
    .fetch_all(&mut log.connection().await)
    .await
    .expect("the log can be read")
}
