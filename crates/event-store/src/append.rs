//! Appending a batch of commands to the log, in one transaction.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared_domain::{
    CircleId, Command, EventId, Metadata, RecordedEvent, Refusal, Sequence, Version, decide,
    evolve, payload,
};
use sqlx::mysql::MySqlConnection;

use crate::error::{Damage, StoreError};
use crate::load::StoredCircle;
use crate::log::EventRow;
use crate::store::EventStore;

/// A command on its way into the log.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The id that its event shall have: the client's request id, or a new one.
    pub event_id: EventId,
    /// Whose event it shall be.
    pub circle_id: CircleId,
    /// What to do.
    pub command: Command,
    /// The circle as the caller knows it. Only a hint: the log decides whether it still is so.
    pub basis: StoredCircle,
    /// Who, and on which request.
    pub metadata: Metadata,
    /// When. Kept to the microsecond.
    pub occurred_at: DateTime<Utc>,
}

/// What became of a submission.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Its event is in the log, durable; the circle is now this.
    Appended(StoredCircle),
    /// It changes nothing about the circle, which is this.
    Unchanged(StoredCircle),
    /// The rules refuse it.
    Refused(Refusal),
    /// The log has an event with its id already: from the same request, sent or tried before,
    /// or from another request under that id. The caller knows how to tell.
    Repeated(Box<RecordedEvent>),
    /// The circle is no longer what the caller knew: load it and submit again.
    Stale,
}

impl EventStore {
    /// Appends what the rules allow of a batch, and answers each submission by itself.
    ///
    /// Submissions about one circle build on each other, in their order. A refusal never
    /// touches a neighbour.
    ///
    /// Calling it again with the same batch after an error is safe, whatever became of the
    /// first call's commit: what that one appended is answered as [`Outcome::Repeated`].
    ///
    /// Run it in a task of its own: a future that is dropped while a transaction begins can
    /// leave its connection inside one.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the outcome of the commit may then be unknown.
    pub async fn append(&self, batch: &[Submission]) -> Result<Vec<Outcome>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let before = reserve(&mut transaction, batch.len()).await?;
        let known = look(&mut transaction, batch).await?;
        let plan = Plan::new(before, batch, known)?;
        if plan.rows.is_empty() {
            transaction.rollback().await?;
        } else {
            if plan.rows.len() < batch.len() {
                let last = Sequence::new(before.get() + plan.rows.len() as u64);
                correct_head(&mut transaction, last).await?;
            }
            insert(&mut transaction, &plan.rows).await?;
            transaction.commit().await?;
        }
        Ok(plan.outcomes)
    }
}

/// Takes the head row, which nobody else can have until our commit, and moves it by `n`.
/// Returns where it was. That rides on LAST_INSERT_ID, which spares a statement.
async fn reserve(connection: &mut MySqlConnection, n: usize) -> Result<Sequence, StoreError> {
    let result = sqlx::query(
        "UPDATE log_head SET last_sequence = LAST_INSERT_ID(last_sequence) + ? WHERE id = 1",
    )
    .bind(n as u64)
    .execute(connection)
    .await?;
    if result.rows_affected() != 1 {
        return Err(Damage::NoHead.into());
    }
    Ok(Sequence::new(result.last_insert_id()))
}

/// Gives back the sequences that were reserved for submissions without an event.
async fn correct_head(connection: &mut MySqlConnection, last: Sequence) -> Result<(), StoreError> {
    sqlx::query("UPDATE log_head SET last_sequence = ? WHERE id = 1")
        .bind(last.get())
        .execute(connection)
        .await?;
    Ok(())
}

/// What the log knows about a submission.
#[derive(Debug, Default)]
struct Known {
    /// The present version of its circle.
    version: Option<Version>,
    /// The event under its id.
    repeated: Option<RecordedEvent>,
}

/// Asks the log about the whole batch, in one statement: under the head row it is exact.
async fn look(
    connection: &mut MySqlConnection,
    batch: &[Submission],
) -> Result<Vec<Known>, StoreError> {
    #[derive(Serialize)]
    struct Item {
        n: usize,
        id: EventId,
        circle_id: CircleId,
    }
    let items: Vec<Item> = batch
        .iter()
        .enumerate()
        .map(|(n, submission)| Item {
            n,
            id: submission.event_id,
            circle_id: submission.circle_id,
        })
        .collect();
    let rows: Vec<KnownRow> = sqlx::query_as(LOOK)
        .bind(json(&items))
        .fetch_all(connection)
        .await?;
    let mut known: Vec<Known> = Vec::new();
    known.resize_with(batch.len(), Known::default);
    for row in rows {
        let slot = usize::try_from(row.n).ok().and_then(|n| known.get_mut(n));
        // Every row carries the number of the submission that it was made for.
        if let Some(slot) = slot {
            *slot = row.into_known()?;
        }
    }
    Ok(known)
}

/// The batch is one bound parameter, so the text never changes with its size.
///
/// The types in JSON_TABLE are those of the columns: with others the comparison would
/// convert every row instead of using the index.
const LOOK: &str = "\
    SELECT item.n, \
           (SELECT MAX(newest.version) FROM circle_events AS newest \
            WHERE newest.circle_id = item.circle_id) AS head_version, \
           same.sequence, same.id, same.circle_id, same.version, same.event_type, \
           CAST(same.payload AS CHAR) AS payload, CAST(same.metadata AS CHAR) AS metadata, \
           same.occurred_at \
    FROM JSON_TABLE(?, '$[*]' COLUMNS ( \
             n BIGINT UNSIGNED PATH '$.n', \
             id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin PATH '$.id', \
             circle_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin PATH '$.circle_id' \
         )) AS item \
    LEFT JOIN circle_events AS same ON same.id = item.id";

#[derive(sqlx::FromRow)]
struct KnownRow {
    n: u64,
    head_version: Option<i32>,
    sequence: Option<u64>,
    id: Option<String>,
    circle_id: Option<String>,
    version: Option<i32>,
    event_type: Option<String>,
    payload: Option<String>,
    metadata: Option<String>,
    occurred_at: Option<DateTime<Utc>>,
}

impl KnownRow {
    fn into_known(self) -> Result<Known, Damage> {
        let sequence = Sequence::new(self.sequence.unwrap_or_default());
        let version = self
            .head_version
            .map(|version| Version::new(version.into()))
            .transpose()
            .map_err(|_| Damage::Column {
                sequence,
                column: "version",
            })?;
        Ok(Known {
            version,
            repeated: self
                .same()?
                .map(|row| row.into_entry()?.recorded())
                .transpose()?,
        })
    }

    /// The event under the same id; its columns are there together or not at all.
    fn same(self) -> Result<Option<EventRow>, Damage> {
        let Some(sequence) = self.sequence else {
            return Ok(None);
        };
        let row = (|| {
            Some(EventRow {
                sequence,
                id: self.id?,
                circle_id: self.circle_id?,
                version: self.version?,
                event_type: self.event_type?,
                payload: self.payload?,
                metadata: self.metadata?,
                occurred_at: self.occurred_at?,
            })
        })();
        let missing = Damage::Column {
            sequence: Sequence::new(sequence),
            column: "value that is NULL",
        };
        row.ok_or(missing).map(Some)
    }
}

/// What to insert and what to answer. Pure: all that it needs was read before.
#[derive(Debug)]
struct Plan {
    rows: Vec<NewRow>,
    outcomes: Vec<Outcome>,
}

impl Plan {
    fn new(before: Sequence, batch: &[Submission], known: Vec<Known>) -> Result<Self, Damage> {
        let mut planner = Planner {
            last: before,
            ..Planner::default()
        };
        let mut outcomes = Vec::with_capacity(batch.len());
        for (submission, known) in batch.iter().zip(known) {
            outcomes.push(planner.plan(submission, known)?);
        }
        Ok(Self {
            rows: planner.rows,
            outcomes,
        })
    }
}

#[derive(Default)]
struct Planner {
    last: Sequence,
    rows: Vec<NewRow>,
    /// The circles that this batch knows to be current, with what it does to them.
    circles: HashMap<CircleId, StoredCircle>,
    /// The events of this batch, by id.
    events: HashMap<EventId, RecordedEvent>,
}

impl Planner {
    fn plan(&mut self, submission: &Submission, known: Known) -> Result<Outcome, Damage> {
        let earlier = self.events.get(&submission.event_id).cloned();
        if let Some(repeated) = known.repeated.or(earlier) {
            return Ok(Outcome::Repeated(Box::new(repeated)));
        }
        let present = match self.circles.get(&submission.circle_id) {
            Some(circle) => circle,
            None if submission.basis.circle.version() == known.version => &submission.basis,
            None => return Ok(Outcome::Stale),
        };
        match decide(&present.circle, &submission.command) {
            Err(refusal) => Ok(Outcome::Refused(refusal)),
            Ok(None) => Ok(Outcome::Unchanged(present.clone())),
            Ok(Some(event)) => {
                let sequence = self.last.next();
                let circle = evolve(present.circle.clone(), &event)
                    .map_err(|cause| Damage::Misfit { sequence, cause })?;
                let version = circle.version().unwrap_or(Version::FIRST);
                let event = RecordedEvent {
                    sequence,
                    id: submission.event_id,
                    circle_id: submission.circle_id,
                    version,
                    event,
                    metadata: submission.metadata.clone(),
                    occurred_at: submission.occurred_at,
                };
                self.last = sequence;
                self.rows.push(NewRow::new(&event));
                self.events.insert(event.id, event);
                let after = StoredCircle { circle, sequence };
                self.circles.insert(submission.circle_id, after.clone());
                Ok(Outcome::Appended(after))
            }
        }
    }
}

/// A row to insert, as the statement reads it from its parameter.
#[derive(Debug, Serialize)]
struct NewRow {
    sequence: u64,
    id: EventId,
    circle_id: CircleId,
    version: i32,
    event_type: &'static str,
    /// JSON inside a JSON string: MariaDB and MySQL extract objects in different ways.
    payload: String,
    metadata: String,
    occurred_at: String,
}

impl NewRow {
    fn new(event: &RecordedEvent) -> Self {
        Self {
            sequence: event.sequence.get(),
            id: event.id,
            circle_id: event.circle_id,
            version: event.version.get(),
            event_type: event.event.event_type(),
            payload: payload::encode(&event.event),
            metadata: json(&event.metadata),
            occurred_at: event
                .occurred_at
                .format("%Y-%m-%d %H:%M:%S%.6f")
                .to_string(),
        }
    }
}

async fn insert(connection: &mut MySqlConnection, rows: &[NewRow]) -> Result<(), StoreError> {
    sqlx::query(INSERT)
        .bind(json(rows))
        .execute(connection)
        .await?;
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

pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value)
        .expect("numbers and strings under fixed keys always have a JSON form")
}

#[cfg(test)]
#[path = "append_tests.rs"]
mod tests;
