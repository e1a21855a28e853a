//! Reading the log in its order.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use shared_domain::{
    CircleEvent, CircleId, EventId, Metadata, PayloadError, RecordedEvent, Sequence, Version,
    payload,
};
use sqlx::mysql::MySqlRow;
use sqlx::{FromRow, Row};

use crate::error::{Damage, StoreError};
use crate::parameter::json;
use crate::store::{EventStore, LONG};

/// A row of the log. Everything but the payload is known to be sound.
#[derive(Debug)]
pub struct LogEntry {
    /// Where it stands.
    pub sequence: Sequence,
    /// The event's id.
    pub id: EventId,
    /// Whose event it is.
    pub circle_id: CircleId,
    /// The circle's version after it.
    pub version: Version,
    /// The event, or why it can't be read.
    pub event: Result<CircleEvent, PayloadError>,
    /// Who, and on which request.
    pub metadata: Metadata,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

impl LogEntry {
    /// The event as it was recorded.
    ///
    /// # Errors
    ///
    /// [`Damage::Payload`] where it can't be read.
    pub fn recorded(self) -> Result<RecordedEvent, Damage> {
        let sequence = self.sequence;
        Ok(RecordedEvent {
            sequence,
            id: self.id,
            circle_id: self.circle_id,
            version: self.version,
            event: self
                .event
                .map_err(|cause| Damage::Payload { sequence, cause })?,
            metadata: self.metadata,
            occurred_at: self.occurred_at,
        })
    }
}

impl EventStore {
    /// Reads up to `limit` events from `from` on, itself included, in one statement.
    ///
    /// The head is never a ceiling here: events come in the order of their commits, so what
    /// one statement sees is always a prefix of the log.
    ///
    /// # Errors
    ///
    /// [`Damage::Hole`] where a sequence is missing between `from` and the last event read.
    pub async fn read_from(&self, from: Sequence, limit: u32) -> Result<Vec<LogEntry>, StoreError> {
        self.read_over(from, limit, &BTreeMap::new()).await
    }

    /// As [`read_from`](Self::read_from), but lets `holes` pass: each the last sequence before
    /// it, and the first one behind.
    ///
    /// # Errors
    ///
    /// [`Damage::Hole`] where another sequence is missing.
    pub async fn read_over(
        &self,
        from: Sequence,
        limit: u32,
        holes: &BTreeMap<Sequence, Sequence>,
    ) -> Result<Vec<LogEntry>, StoreError> {
        // There is no event 0.
        let from = from.max(Sequence::ZERO.next());
        let query = sqlx::query_as(READ_FROM).bind(from.get()).bind(limit);
        let rows: Vec<Decoded> = self
            .lend(async |connection| Ok(query.fetch_all(connection).await?))
            .await?;
        let mut entries = Vec::with_capacity(rows.len());
        let mut expected = from;
        for Decoded(row) in rows {
            let entry = row?;
            let after = Sequence::new(expected.get() - 1);
            if entry.sequence != expected && holes.get(&after) != Some(&entry.sequence) {
                return Err(Damage::Hole {
                    after,
                    found: entry.sequence,
                }
                .into());
            }
            expected = entry.sequence.next();
            entries.push(entry);
        }
        Ok(entries)
    }

    /// The ids of the events from `first` to `last` that the log has.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn event_ids(
        &self,
        first: Sequence,
        last: Sequence,
    ) -> Result<BTreeMap<Sequence, EventId>, StoreError> {
        let query =
            sqlx::query_as("SELECT sequence, id FROM circle_events WHERE sequence BETWEEN ? AND ?")
                .bind(first.get())
                .bind(last.get());
        let rows: Vec<(u64, String)> = self
            .lend(async |connection| Ok(query.fetch_all(connection).await?))
            .await?;
        rows.into_iter()
            .map(|(sequence, id)| {
                let sequence = Sequence::new(sequence);
                let id = id.parse().map_err(|_| Damage::Column {
                    sequence,
                    column: "id",
                })?;
                Ok((sequence, id))
            })
            .collect()
    }

    /// How many events the log has up to `last`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn count(&self, last: Sequence) -> Result<u64, StoreError> {
        let query = sqlx::query_scalar("SELECT COUNT(*) FROM circle_events WHERE sequence <= ?")
            .bind(last.get());
        let count: i64 = self
            .lend_for(LONG, async |connection| {
                Ok(query.fetch_one(connection).await?)
            })
            .await?;
        Ok(count.unsigned_abs())
    }

    /// All events of some circles up to a sequence, by circle and version.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; an event that can't be read is told in its entry.
    pub async fn histories(
        &self,
        ids: &[CircleId],
        until: Sequence,
    ) -> Result<Vec<LogEntry>, StoreError> {
        let query = sqlx::query_as(HISTORIES).bind(json(ids)).bind(until.get());
        let rows: Vec<Decoded> = self
            .lend_for(LONG, async |connection| {
                Ok(query.fetch_all(connection).await?)
            })
            .await?;
        let mut entries: Vec<LogEntry> = rows
            .into_iter()
            .map(|Decoded(row)| row)
            .collect::<Result<_, _>>()?;
        entries.sort_unstable_by_key(|entry| (entry.circle_id, entry.version));
        Ok(entries)
    }

    /// The circles that the log knows, up to `limit` of them behind `after`, by id. A circle
    /// counts as soon as it has any event.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn circle_ids(
        &self,
        after: Option<CircleId>,
        limit: u32,
    ) -> Result<Vec<CircleId>, StoreError> {
        let query = sqlx::query_scalar(
            "SELECT DISTINCT circle_id FROM circle_events WHERE circle_id > ? \
             ORDER BY circle_id LIMIT ?",
        )
        .bind(after.map(|id| id.to_string()).unwrap_or_default())
        .bind(limit);
        let rows: Vec<String> = self
            .lend(async |connection| Ok(query.fetch_all(connection).await?))
            .await?;
        // An id that is none is damage of the row, which whoever reads the log meets.
        Ok(rows.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Those of the circles that the log knows.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn known_circles(&self, ids: &[CircleId]) -> Result<HashSet<CircleId>, StoreError> {
        let query = sqlx::query_scalar(KNOWN).bind(json(ids));
        let rows: Vec<String> = self
            .lend(async |connection| Ok(query.fetch_all(connection).await?))
            .await?;
        Ok(rows.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// The sequence of the last event; zero for an empty log.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the database does not answer.
    pub async fn head(&self) -> Result<Sequence, StoreError> {
        let query = sqlx::query_scalar("SELECT last_sequence FROM log_head WHERE id = 1");
        let last: Option<u64> = self
            .lend(async |connection| Ok(query.fetch_optional(connection).await?))
            .await?;
        Ok(Sequence::new(last.ok_or(Damage::NoHead)?))
    }

    /// When the first event behind `sequence` occurred; none at the end of the log.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the database does not answer.
    pub async fn first_after(
        &self,
        sequence: Sequence,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let query = sqlx::query_scalar(
            "SELECT occurred_at FROM circle_events WHERE sequence > ? ORDER BY sequence LIMIT 1",
        )
        .bind(sequence.get());
        self.lend(async |connection| Ok(query.fetch_optional(connection).await?))
            .await
    }
}

/// CAST: what is JSON in MySQL is text in MariaDB.
const READ_FROM: &str = "\
    SELECT sequence, id, circle_id, version, event_type, \
           CAST(payload AS CHAR) AS payload, CAST(metadata AS CHAR) AS metadata, occurred_at \
    FROM circle_events WHERE sequence >= ? ORDER BY sequence LIMIT ?";

/// In no order: the database would sort whole rows.
const HISTORIES: &str = "\
    SELECT e.sequence, e.id, e.circle_id, e.version, e.event_type, \
           CAST(e.payload AS CHAR) AS payload, CAST(e.metadata AS CHAR) AS metadata, e.occurred_at \
    FROM JSON_TABLE(?, '$[*]' COLUMNS ( \
             circle_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin PATH '$' \
         )) AS item \
    JOIN circle_events e ON e.circle_id = item.circle_id \
    WHERE e.sequence <= ?";

const KNOWN: &str = "\
    SELECT DISTINCT e.circle_id \
    FROM JSON_TABLE(?, '$[*]' COLUMNS ( \
             circle_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin PATH '$' \
         )) AS item \
    JOIN circle_events e ON e.circle_id = item.circle_id";

/// A row of `circle_events`, in the order of its columns.
#[derive(Debug)]
pub(crate) struct EventRow<'a> {
    pub(crate) sequence: u64,
    pub(crate) id: &'a str,
    pub(crate) circle_id: &'a str,
    pub(crate) version: i32,
    pub(crate) event_type: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) metadata: &'a str,
    pub(crate) occurred_at: DateTime<Utc>,
}

impl EventRow<'_> {
    pub(crate) fn into_entry(self) -> Result<LogEntry, Damage> {
        let sequence = Sequence::new(self.sequence);
        let column = |column| Damage::Column { sequence, column };
        Ok(LogEntry {
            sequence,
            id: self.id.parse().map_err(|_| column("id"))?,
            circle_id: self.circle_id.parse().map_err(|_| column("circle_id"))?,
            version: Version::new(self.version.into()).map_err(|_| column("version"))?,
            event: payload::decode(self.event_type, self.payload),
            metadata: serde_json::from_str(self.metadata).map_err(|_| column("metadata"))?,
            occurred_at: self.occurred_at,
        })
    }
}

/// What came of a row. It is taken apart while it is in the buffer of the connection, as copies of
/// its texts would be half the work of reading the log.
struct Decoded(Result<LogEntry, Damage>);

impl<'r> FromRow<'r, MySqlRow> for Decoded {
    fn from_row(row: &'r MySqlRow) -> sqlx::Result<Self> {
        let row = EventRow {
            sequence: row.try_get(0)?,
            id: row.try_get(1)?,
            circle_id: row.try_get(2)?,
            version: row.try_get(3)?,
            event_type: row.try_get(4)?,
            payload: row.try_get(5)?,
            metadata: row.try_get(6)?,
            occurred_at: row.try_get(7)?,
        };
        Ok(Self(row.into_entry()))
    }
}
