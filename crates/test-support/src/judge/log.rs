//! The log as SQL shows it.

use crate::mysql::Database;

/// A row of `circle_events`.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Event {
    /// Its place in the log.
    pub sequence: u64,
    /// Its id, which is the request's where that had one.
    pub id: String,
    /// Which circle it is about.
    pub circle_id: String,
    /// The circle's version after it.
    pub version: i32,
    /// As `CircleCreated`.
    pub event_type: String,
    /// As JSON.
    pub payload: String,
    /// As JSON.
    pub metadata: String,
    /// As `2026-11-23T04:05:06.000007Z`.
    pub occurred_at: String,
}

/// All events, in their order.
///
/// # Panics
///
/// Where the log can't be read.
pub async fn read_log(log: &Database) -> Vec<Event> {
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
