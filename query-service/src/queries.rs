//! Reading, and waiting until there is enough to read.

use std::time::Duration;

use read_model::{
    Document, Error, Follower, Found, HistoryPage, HistoryQuery, ListQuery, Moment, Page, Past,
    Reader,
};
use shared_domain::{CircleId, Sequence};
use tokio::time::Instant;

use crate::metrics::Waits;

/// A little before the client's deadline, so that our answer still arrives and says more than
/// that time is over.
const MARGIN: Duration = Duration::from_millis(20);

/// How far the read model must have come for a query, and how long the query can wait for it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wait {
    pub(crate) min: Sequence,
    /// What the client's deadline leaves; none where it has no deadline.
    pub(crate) timeout: Option<Duration>,
}

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum Failed {
    /// The read model failed.
    #[error("the read model failed")]
    Read(#[from] Error),
    /// It did not come far enough before the client's deadline.
    #[error("the read model did not reach event {0} before the deadline")]
    DeadlineExceeded(Sequence),
    /// It did not come far enough in the time that this service waits.
    #[error("the read model did not reach event {0} in time")]
    NotReached(Sequence),
}

/// An answer that knows of which moment it is.
trait Dated {
    fn sequence(&self) -> Sequence;
}

impl<T> Dated for Found<T> {
    fn sequence(&self) -> Sequence {
        self.sequence
    }
}

impl Dated for Page {
    fn sequence(&self) -> Sequence {
        self.sequence
    }
}

/// Answers queries.
pub(crate) struct Queries {
    reader: Reader,
    follower: Follower,
    max_wait: Duration,
    waits: Waits,
}

impl Queries {
    pub(crate) fn new(
        reader: Reader,
        follower: Follower,
        max_wait: Duration,
        waits: Waits,
    ) -> Self {
        Self {
            reader,
            follower,
            max_wait,
            waits,
        }
    }

    pub(crate) async fn get(
        &self,
        id: CircleId,
        wait: Wait,
    ) -> Result<Found<Option<Document>>, Failed> {
        self.recent_enough(wait, Some(id), || self.reader.get(id))
            .await
    }

    pub(crate) async fn batch_get(
        &self,
        ids: &[CircleId],
        wait: Wait,
    ) -> Result<Found<Vec<Option<Document>>>, Failed> {
        self.recent_enough(wait, None, || self.reader.batch_get(ids))
            .await
    }

    pub(crate) async fn list(&self, query: &ListQuery, wait: Wait) -> Result<Page, Failed> {
        self.recent_enough(wait, None, || self.reader.list(query))
            .await
    }

    pub(crate) async fn history(
        &self,
        id: CircleId,
        query: HistoryQuery,
        wait: Wait,
    ) -> Result<Found<Option<HistoryPage>>, Failed> {
        self.recent_enough(wait, Some(id), || self.reader.history(id, query))
            .await
    }

    pub(crate) async fn as_of(
        &self,
        id: CircleId,
        moment: Moment,
        wait: Wait,
    ) -> Result<Found<Past>, Failed> {
        self.recent_enough(wait, Some(id), || self.reader.as_of(id, moment))
            .await
    }

    /// Reads; where that was too early, waits for news and reads again. Mostly the first read is
    /// enough, and then this costs nothing. `of` is the circle where it is about one.
    async fn recent_enough<T: Dated, F>(
        &self,
        wait: Wait,
        of: Option<CircleId>,
        read: impl Fn() -> F,
    ) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Error>>,
    {
        if wait.min == Sequence::ZERO {
            return Ok(read().await?);
        }
        // Apart, so that calls which need not wait don't carry what waiting takes.
        Box::pin(self.patiently(wait, of, read)).await
    }

    async fn patiently<T: Dated, F>(
        &self,
        wait: Wait,
        of: Option<CircleId>,
        read: impl Fn() -> F,
    ) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Error>>,
    {
        // The deadline runs while Redis is asked, too.
        let begun = Instant::now();
        // None as long as it was too early.
        let attempt = async || match read().await {
            Ok(answer) if answer.sequence() >= wait.min => Ok(Some(answer)),
            // Something to wait for is certain to come, as a command was answered with it.
            Ok(_) | Err(Error::NotBuilt) => Ok(None),
            Err(error) => Err(error),
        };
        // From before the read, so that no news are missed which come during it.
        let mut now = self.follower.now();
        if let Some(answer) = attempt().await? {
            return Ok(answer);
        }
        let (limit, too_late) = match wait.timeout {
            Some(timeout) if timeout <= self.max_wait => (
                timeout.saturating_sub(MARGIN),
                Failed::DeadlineExceeded(wait.min),
            ),
            _ => (self.max_wait, Failed::NotReached(wait.min)),
        };
        let waiting = async {
            loop {
                now = self.follower.news(now, wait.min, of).await?;
                if let Some(answer) = attempt().await? {
                    return Ok(answer);
                }
            }
        };
        let answer = tokio::time::timeout_at(begun + limit, waiting).await;
        self.waits.ended(begun.elapsed(), answer.is_ok());
        answer.unwrap_or(Err(too_late))
    }
}
