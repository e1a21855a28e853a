//! One step of the projector.

use std::collections::HashMap;

use event_store::{Damage, EventStore, StoreError};
use read_model::{Batch, Change, Checkpoint, Outcome, Projection};
use shared_domain::{CircleId, EventId, RecordedEvent, Sequence};

use crate::fold::{Folded, Mismatch, change, document, fold};

/// Applies the log to the read models, page by page.
pub struct Projector {
    store: EventStore,
    projection: Projection,
    batch: u32,
    /// Where the read models are, as far as we know. Redis decides when a page is applied.
    checkpoint: Option<Checkpoint>,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It applied so many events; there may be more.
    Applied {
        /// How many.
        events: usize,
        /// The read models' new position.
        checkpoint: Sequence,
    },
    /// There was nothing new.
    Idle {
        /// The read models' position.
        checkpoint: Sequence,
    },
    /// The read models were elsewhere than we thought: another projector is at work, or Redis
    /// has lost something. Nothing was applied; the next step goes on from there.
    Superseded,
}

/// Why a step did nothing.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The log could not be read, or is damaged.
    #[error(transparent)]
    Log(#[from] StoreError),

    /// The read models could not be written, or are damaged.
    #[error("the read model failed")]
    ReadModel(#[from] read_model::Error),

    /// The event at the checkpoint is not the one that was applied: MySQL has lost its tail, as
    /// in a failover, or is another one than before.
    #[error("the read model is at event {sequence} with id {applied:?}, the log has {found:?}")]
    OtherLog {
        /// The checkpoint.
        sequence: Sequence,
        /// The event that was applied.
        applied: Option<EventId>,
        /// The event that the log has there, if any.
        found: Option<EventId>,
    },
}

impl StepError {
    /// Whether it passes by itself. What does not is damage, which has to be mended by hand.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Log(error) => error.is_transient(),
            Self::ReadModel(error) => error.is_transient(),
            Self::OtherLog { .. } => false,
        }
    }
}

impl Projector {
    /// A projector that applies up to `batch` events in a step.
    #[must_use]
    pub fn new(store: EventStore, projection: Projection, batch: u32) -> Self {
        Self {
            store,
            projection,
            batch,
            checkpoint: None,
        }
    }

    /// Reads one page and applies it.
    ///
    /// It may be dropped at any point, or its process killed: a page is applied together with its
    /// checkpoint or not at all.
    ///
    /// # Errors
    ///
    /// [`StepError`]. Nothing was applied, or, after [`StepError::ReadModel`], perhaps all of
    /// the page; the next step finds out.
    pub async fn step(&mut self) -> Result<Step, StepError> {
        // Forgotten until the step has ended well, so that after an error Redis is asked again.
        let known = self.checkpoint.take();
        let checkpoint = match known {
            Some(checkpoint) => checkpoint,
            None => self.find_checkpoint().await?,
        };
        let events = self.read_page(&checkpoint).await?;
        let Some(last) = events.last() else {
            self.checkpoint = Some(checkpoint);
            return Ok(Step::Idle {
                checkpoint: checkpoint.sequence,
            });
        };
        let next = Checkpoint::at(last.sequence, last.id);
        let mut batch = Batch::new(next);
        batch.extend(self.changes(&events).await?);
        match self.projection.apply(&checkpoint, &batch).await? {
            Outcome::Applied => {
                self.checkpoint = Some(next);
                Ok(Step::Applied {
                    events: events.len(),
                    checkpoint: next.sequence,
                })
            }
            Outcome::Superseded { found } => {
                self.checkpoint = found;
                Ok(Step::Superseded)
            }
        }
    }

    async fn find_checkpoint(&self) -> Result<Checkpoint, StepError> {
        if self.projection.initialize().await? {
            tracing::info!("the read model is empty; building it from the beginning of the log");
        }
        Ok(self
            .projection
            .checkpoint()
            .await?
            .unwrap_or(Checkpoint::EMPTY))
    }

    /// The events after the checkpoint. The page begins with the checkpoint's own event, which
    /// must be the one that was applied.
    async fn read_page(&self, checkpoint: &Checkpoint) -> Result<Vec<RecordedEvent>, StepError> {
        let Some(applied) = checkpoint.event_id else {
            let page = self.store.read_from(Sequence::ZERO, self.batch).await?;
            return Ok(recorded(page)?);
        };
        let page = self
            .store
            .read_from(checkpoint.sequence, self.batch + 1)
            .await;
        let page = match page {
            // The checkpoint's event itself is missing.
            Err(StoreError::Damaged(Damage::Hole { after, .. })) if after < checkpoint.sequence => {
                Vec::new()
            }
            other => other?,
        };
        let mut page = page.into_iter();
        let found = page.next().map(|entry| entry.id);
        if found != Some(applied) {
            return Err(StepError::OtherLog {
                sequence: checkpoint.sequence,
                applied: Some(applied),
                found,
            });
        }
        Ok(recorded(page)?)
    }

    async fn changes(&self, events: &[RecordedEvent]) -> Result<Vec<Change>, StepError> {
        let mut ids: Vec<CircleId> = events.iter().map(|event| event.circle_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let documents: HashMap<_, _> = self
            .projection
            .documents(&ids)
            .await?
            .into_iter()
            .flatten()
            .map(|document| (document.id, document))
            .collect();
        let Folded {
            mut changes,
            mismatches,
        } = fold(events, documents);
        for mismatch in mismatches {
            changes.extend(self.fold_anew(mismatch).await?);
        }
        Ok(changes)
    }

    /// Mends a circle whose document was not what the log says.
    async fn fold_anew(&self, mismatch: Mismatch) -> Result<Option<Change>, StepError> {
        let Mismatch {
            circle_id,
            before,
            until,
        } = mismatch;
        tracing::warn!(%circle_id, "the document is not the state before its next event; folding the circle anew");
        let stored = self.store.load_at(circle_id, until).await?;
        let created = self.store.creation(circle_id).await?;
        Ok(change(before, document(circle_id, stored.circle), created))
    }
}

/// All events of a page, if all can be read.
fn recorded(
    page: impl IntoIterator<Item = event_store::LogEntry>,
) -> Result<Vec<RecordedEvent>, StoreError> {
    Ok(page
        .into_iter()
        .map(event_store::LogEntry::recorded)
        .collect::<Result<_, Damage>>()?)
}
