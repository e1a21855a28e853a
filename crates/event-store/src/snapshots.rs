//! Writing snapshots, off the command's path.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;
use shared_domain::{CircleId, Version, snapshot};
use tokio::sync::mpsc;

use crate::error::StoreError;
use crate::load::StoredCircle;
use crate::parameter::json;
use crate::store::EventStore;

/// A circle to take a snapshot of.
pub(crate) type Due = (CircleId, StoredCircle);

/// How many circles may wait. More are passed over: a snapshot is only a cache.
pub(crate) const QUEUE: usize = 4_096;

/// How many snapshots travel in one statement.
const BATCH: usize = 2_048;

/// How long a snapshot waits for others.
const DELAY: Duration = Duration::from_secs(1);

/// Whether a circle at this version is due.
pub(crate) fn is_due(version: Version, interval: u32) -> bool {
    u32::try_from(version.get()).is_ok_and(|version| version.is_multiple_of(interval))
}

/// Writes what comes, until the sender is gone.
///
/// A snapshot waits up to [`DELAY`] for others: each write costs the disk what a commit costs it,
/// and appends are waiting for that disk.
pub(crate) async fn run(store: EventStore, mut due: mpsc::Receiver<Due>) {
    let mut waiting: HashMap<CircleId, StoredCircle> = HashMap::new();
    let mut open = true;
    while open {
        let deadline = tokio::time::sleep(DELAY);
        tokio::pin!(deadline);
        while open && waiting.len() < BATCH {
            tokio::select! {
                next = due.recv() => match next {
                    // Of a circle that is due twice, the later one is enough.
                    Some((id, circle)) => drop(waiting.insert(id, circle)),
                    None => open = false,
                },
                () = &mut deadline, if !waiting.is_empty() => break,
            }
        }
        if waiting.is_empty() {
            continue;
        }
        if let Err(error) = store.save_snapshots(&waiting).await {
            tracing::warn!(
                %error,
                "snapshots not written; circles load more slowly without them"
            );
        }
        waiting.clear();
    }
}

impl EventStore {
    /// Saves snapshots, except where a newer one is there.
    async fn save_snapshots(
        &self,
        circles: &HashMap<CircleId, StoredCircle>,
    ) -> Result<(), StoreError> {
        let mut rows: Vec<Row> = circles
            .iter()
            .filter_map(|(id, stored)| {
                Some(Row {
                    circle_id: *id,
                    version: stored.circle.version()?.get(),
                    sequence: stored.sequence.get(),
                    schema_version: snapshot::SCHEMA,
                    state: snapshot::encode(&stored.circle),
                })
            })
            .collect();
        // Two replicas that lock the same rows in the same order can't deadlock.
        rows.sort_unstable_by_key(|row| row.circle_id);
        let query = sqlx::query(SAVE).bind(json(&rows));
        self.lend(async |connection| {
            query.execute(connection).await?;
            Ok(())
        })
        .await
    }
}

#[derive(Serialize)]
struct Row {
    circle_id: CircleId,
    version: i32,
    sequence: u64,
    schema_version: u32,
    state: String,
}

/// The version is assigned last, as the other columns compare with the one before.
const SAVE: &str = "\
    INSERT INTO circle_snapshots (circle_id, version, sequence, schema_version, state) \
    SELECT item.circle_id, item.version, item.sequence, item.schema_version, item.state \
    FROM JSON_TABLE(?, '$[*]' COLUMNS ( \
             circle_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin PATH '$.circle_id', \
             version INT PATH '$.version', \
             sequence BIGINT UNSIGNED PATH '$.sequence', \
             schema_version INT UNSIGNED PATH '$.schema_version', \
             state LONGTEXT CHARACTER SET utf8mb4 PATH '$.state' \
         )) AS item \
    ON DUPLICATE KEY UPDATE \
        sequence = IF(item.version > circle_snapshots.version, item.sequence, circle_snapshots.sequence), \
        schema_version = IF(item.version > circle_snapshots.version, item.schema_version, circle_snapshots.schema_version), \
        state = IF(item.version > circle_snapshots.version, item.state, circle_snapshots.state), \
        version = IF(item.version > circle_snapshots.version, item.version, circle_snapshots.version)";
