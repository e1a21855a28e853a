//! A page of the log, read in the background.

use std::collections::BTreeMap;

use event_store::{Damage, EventStore, LogEntry, StoreError};
use read_model::Checkpoint;
use shared_domain::Sequence;
use tokio_util::task::AbortOnDropHandle;

/// What the log has behind a checkpoint.
#[derive(Debug)]
pub(crate) enum Page {
    /// These events come next.
    Behind(Vec<LogEntry>),
    /// The log has another event at the checkpoint, or none.
    OtherLog,
}

/// A page that is being read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) from: Checkpoint,
    task: AbortOnDropHandle<Result<Page, StoreError>>,
}

impl Reading {
    /// Begins to read up to `limit` events behind `from`, in a task of its own, as taking the rows
    /// apart is work.
    pub(crate) fn begin(
        log: EventStore,
        from: Checkpoint,
        limit: u32,
        holes: BTreeMap<Sequence, Sequence>,
    ) -> Self {
        let task = tokio::spawn(read(log, from, limit, holes));
        Self {
            from,
            task: AbortOnDropHandle::new(task),
        }
    }

    /// Waits for it.
    pub(crate) async fn page(self) -> Result<Page, StoreError> {
        match self.task.await {
            Ok(page) => page,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends; nobody will see an answer.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

/// The checkpoint's own event is read as well, to see that the log is still the one that was
/// applied.
async fn read(
    log: EventStore,
    from: Checkpoint,
    limit: u32,
    holes: BTreeMap<Sequence, Sequence>,
) -> Result<Page, StoreError> {
    let Some(applied) = from.event_id else {
        let page = log.read_over(from.sequence.next(), limit, &holes).await?;
        return Ok(Page::Behind(page));
    };
    let mut page = match log.read_over(from.sequence, limit + 1, &holes).await {
        // The checkpoint's event itself is missing.
        Err(StoreError::Damaged(Damage::Hole { after, .. })) if after < from.sequence => {
            return Ok(Page::OtherLog);
        }
        page => page?,
    };
    if page.first().map(|entry| entry.id) != Some(applied) {
        return Ok(Page::OtherLog);
    }
    page.remove(0);
    Ok(Page::Behind(page))
}
