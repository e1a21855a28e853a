//! Bringing circles up to date under the head row, where others were faster.

use std::collections::HashMap;

use serde::Serialize;
use shared_domain::{CircleId, Version};
use sqlx::mysql::MySqlConnection;

use crate::cache::CircleCache;
use crate::error::{Damage, StoreError};
use crate::load::{FoldRow, StoredCircle};
use crate::parameter::json;
use crate::plan::Known;
use crate::submission::Attempt;

/// How many events a circle may lag behind to be caught up with while everybody else waits for
/// the head row. One that lags further is loaded without it.
const GAP: i32 = 100;

/// Reads what happened since to the circles of a batch that somebody else has changed, in one
/// statement. Mostly there are none, and then this does nothing.
///
/// Without this, a replica that only ever looked before it took the head row could lose against
/// a faster one for ever.
pub(crate) async fn catch_up(
    connection: &mut MySqlConnection,
    batch: &[Attempt],
    known: &[Known],
    cache: &CircleCache,
) -> Result<HashMap<CircleId, StoredCircle>, StoreError> {
    let mut circles: HashMap<CircleId, StoredCircle> = batch
        .iter()
        .zip(known)
        // What is as the log has it needs neither the cache nor a copy.
        .filter(|(attempt, known)| attempt.basis.circle.version() != known.version)
        .filter_map(|(attempt, known)| {
            let newest = newest(attempt, cache);
            let id = attempt.submission.circle_id;
            lags(newest.circle.version(), known.version).then_some((id, newest))
        })
        .collect();
    if circles.is_empty() {
        return Ok(circles);
    }
    let behind: Vec<Behind> = circles
        .iter()
        .map(|(id, stored)| Behind {
            circle_id: *id,
            version: stored.circle.version().map_or(0, Version::get),
        })
        .collect();
    let rows: Vec<NewerRow> = sqlx::query_as(NEWER)
        .bind(json(&behind))
        .fetch_all(connection)
        .await?;
    for NewerRow { circle_id, event } in rows {
        let id = CircleId::parse(&circle_id).map_err(|_| Damage::Column {
            sequence: event.sequence(),
            column: "circle_id",
        })?;
        if let Some(stored) = circles.remove(&id) {
            circles.insert(id, event.apply(id, stored)?);
        }
    }
    Ok(circles)
}

/// The newer of what the caller and the cache know.
fn newest(attempt: &Attempt, cache: &CircleCache) -> StoredCircle {
    match cache.get(attempt.submission.circle_id) {
        Some(cached) if cached.circle.version() > attempt.basis.circle.version() => cached,
        _ => attempt.basis.clone(),
    }
}

fn lags(ours: Option<Version>, log: Option<Version>) -> bool {
    match (ours, log) {
        (Some(ours), Some(log)) => (1..=GAP).contains(&(log.get() - ours.get())),
        _ => false,
    }
}

#[derive(Serialize)]
struct Behind {
    circle_id: CircleId,
    version: i32,
}

#[derive(sqlx::FromRow)]
struct NewerRow {
    circle_id: String,
    #[sqlx(flatten)]
    event: FoldRow,
}

const NEWER: &str = "\
    SELECT newer.circle_id, newer.sequence, newer.version, newer.event_type, \
           CAST(newer.payload AS CHAR) AS payload \
    FROM JSON_TABLE(?, '$[*]' COLUMNS ( \
             circle_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin PATH '$.circle_id', \
             version INT PATH '$.version' \
         )) AS item \
    JOIN circle_events AS newer \
        ON newer.circle_id = item.circle_id AND newer.version > item.version \
    ORDER BY newer.circle_id, newer.version";
