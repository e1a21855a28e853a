//! Appending a batch of commands to the log, in one transaction.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared_domain::{CircleId, EventId, Sequence, Version};
use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;
use tokio::time::Instant;

use crate::cache::{CircleCache, Reign};
use crate::catch_up::catch_up;
use crate::error::{Damage, StoreError};
use crate::load::StoredCircle;
use crate::log::EventRow;
use crate::parameter::json;
use crate::plan::{Known, NewRow, Plan};
use crate::submission::{Attempt, Verdict};

/// Whoever appends, with what it knows from one append to the next.
#[derive(Debug)]
pub(crate) struct Appender {
    cache: Arc<CircleCache>,
    /// Where our last append left the head.
    head: Option<Sequence>,
    reign: Reign,
    /// The last event that we appended. Nothing in the cache is newer.
    last: Option<(Sequence, EventId)>,
    /// Whether the server may be another one than that of the last append.
    is_renewed: bool,
    /// Since when the connection is the one that it is.
    connected: Instant,
    /// How far the log is certain to be the one of before then: up to the last event that we had
    /// appended.
    same_until: Sequence,
    /// Whether a commit was begun of which we do not know what became.
    in_doubt: bool,
}

impl Appender {
    pub(crate) fn new(cache: Arc<CircleCache>) -> Self {
        Self {
            cache,
            head: None,
            reign: Reign::default(),
            last: None,
            is_renewed: false,
            connected: Instant::now(),
            same_until: Sequence::ZERO,
            in_doubt: false,
        }
    }

    /// The next append has another connection than the last one.
    pub(crate) fn renew(&mut self) {
        self.is_renewed = true;
        self.connected = Instant::now();
    }

    /// Whether an append since the last question failed in such a way that its events may be in the log.
    pub(crate) fn take_doubt(&mut self) -> bool {
        std::mem::take(&mut self.in_doubt)
    }

    /// Where the log ended after the last append, if that ended well.
    pub(crate) fn head(&self) -> Option<Sequence> {
        self.head
    }

    /// Appends what the rules allow of a batch, in one transaction, and judges each attempt by
    /// itself.
    ///
    /// Submissions about one circle build on each other, in their order. A refusal never touches
    /// a neighbour.
    ///
    /// Calling it again with the same batch after an error, and without `first`, is safe, whatever
    /// became of the first call's commit: what that one appended is found by its ids, and answered
    /// as [`Outcome::Repeated`](crate::Outcome::Repeated). After an error the connection must not
    /// be used again.
    ///
    /// Run it in a task of its own: a future that is dropped while a transaction begins can leave
    /// its connection inside one.
    pub(crate) async fn append(
        &mut self,
        connection: &mut MySqlConnection,
        batch: &[Attempt],
        first: bool,
    ) -> Result<Vec<Verdict>, StoreError> {
        // Until this has ended well, the head is anywhere.
        let ours = self.head.take();
        let mut transaction = connection.begin().await?;
        let before = reserve(&mut transaction, batch.len()).await?;
        if self.is_renewed {
            if !self.is_same_log(&mut transaction).await? {
                transaction.rollback().await?;
                return Ok(batch.iter().map(|_| Verdict::Stale).collect());
            }
            self.is_renewed = false;
            self.same_until = self.last.map_or(Sequence::ZERO, |(sequence, _)| sequence);
            self.reign.end();
        }
        let batch = &*self.without_doubtful(batch);
        if ours != Some(before) {
            self.reign.end();
        }
        let known = self.look(&mut transaction, batch, first).await?;
        let current = catch_up(&mut transaction, batch, &known, &self.cache).await?;
        let plan = Plan::new(before, batch, known, &self.cache, current)?;
        let after = Sequence::new(before.get() + plan.rows.len() as u64);
        if plan.rows.is_empty() {
            transaction.rollback().await?;
        } else {
            if plan.rows.len() < batch.len() {
                correct_head(&mut transaction, after).await?;
            }
            insert(&mut transaction, &plan.rows).await?;
            self.in_doubt = true;
            transaction.commit().await?;
            self.in_doubt = false;
        }
        if let Some(row) = plan.rows.last() {
            self.last = Some((after, row.id));
        }
        if self.last.is_some_and(|(sequence, _)| sequence == after) {
            for (id, circle) in plan.circles {
                self.cache.put(id, circle, self.reign);
            }
        }
        self.head = Some(after);
        Ok(plan.verdicts)
    }

    /// Whether the log still ends in what we know of it, or goes on behind that. A server that took over without the
    /// last events has another one at the place of our last, or none; what is remembered is forgotten then.
    async fn is_same_log(&mut self, connection: &mut MySqlConnection) -> Result<bool, StoreError> {
        let Some((sequence, id)) = self.last else {
            return Ok(true);
        };
        let found: Option<String> =
            sqlx::query_scalar("SELECT id FROM circle_events WHERE sequence = ?")
                .bind(sequence.get())
                .fetch_optional(connection)
                .await?;
        if found.as_deref() == Some(id.to_string().as_str()) {
            return Ok(true);
        }
        tracing::error!(%sequence, event_id = %id, "the log has lost an event that it had; forgetting all circles");
        self.cache.clear();
        self.last = None;
        Ok(false)
    }

    /// The batch without what was known of circles before this connection was made, where an event
    /// is in it that the log may have lost since: another one can have its version now.
    fn without_doubtful<'a>(&self, batch: &'a [Attempt]) -> Cow<'a, [Attempt]> {
        let is_doubtful = |attempt: &Attempt| {
            attempt.known_since < self.connected && attempt.basis.sequence > self.same_until
        };
        if !batch.iter().any(is_doubtful) {
            return Cow::Borrowed(batch);
        }
        let mut batch = batch.to_vec();
        for attempt in batch.iter_mut().filter(|attempt| is_doubtful(attempt)) {
            attempt.basis = StoredCircle::default();
        }
        Cow::Owned(batch)
    }

    /// Asks the log about the batch, in one statement: under the head row the answer is exact.
    ///
    /// It is not asked what it can't know, at the first attempt: about ids that were made for a
    /// submission alone, and about circles that are certain.
    async fn look(
        &self,
        connection: &mut MySqlConnection,
        batch: &[Attempt],
        first: bool,
    ) -> Result<Vec<Known>, StoreError> {
        let mut known = Vec::with_capacity(batch.len());
        let mut items = Vec::new();
        for (n, Attempt { submission, .. }) in batch.iter().enumerate() {
            let certain = self
                .cache
                .certain(submission.circle_id, self.reign)
                .filter(|_| first);
            let about_event = !(first && submission.fresh.event);
            let about_circle = !(first && submission.fresh.circle) && certain.is_none();
            if about_event || about_circle {
                items.push(Item {
                    n,
                    id: about_event.then_some(submission.event_id),
                    circle_id: about_circle.then_some(submission.circle_id),
                });
            }
            known.push(Known {
                version: certain.and_then(|certain| certain.circle.version()),
                repeated: None,
            });
        }
        if items.is_empty() {
            return Ok(known);
        }
        let rows: Vec<KnownRow> = sqlx::query_as(LOOK)
            .bind(json(&items))
            .fetch_all(connection)
            .await?;
        for row in rows {
            // Every row carries the number of the submission that it was made for.
            let slot = usize::try_from(row.n).ok().and_then(|n| known.get_mut(n));
            if let Some(slot) = slot {
                let found = row.into_known()?;
                slot.version = found.version.or(slot.version);
                slot.repeated = found.repeated;
            }
        }
        Ok(known)
    }
}

/// A question to the log.
#[derive(Serialize)]
struct Item {
    n: usize,
    id: Option<EventId>,
    circle_id: Option<CircleId>,
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
    fn same(&self) -> Result<Option<EventRow<'_>>, Damage> {
        let Some(sequence) = self.sequence else {
            return Ok(None);
        };
        let row = (|| {
            Some(EventRow {
                sequence,
                id: self.id.as_deref()?,
                circle_id: self.circle_id.as_deref()?,
                version: self.version?,
                event_type: self.event_type.as_deref()?,
                payload: self.payload.as_deref()?,
                metadata: self.metadata.as_deref()?,
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
