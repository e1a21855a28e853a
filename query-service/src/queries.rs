//! Reading, and waiting until there is enough to read.

use std::time::Duration;

use read_model::{Document, Error, Follower, Found, ListQuery, Page, Reader};
use shared_domain::{CircleId, Sequence};
use tokio::time::Instant;

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
}

impl Queries {
    pub(crate) fn new(reader: Reader, follower: Follower, max_wait: Duration) -> Self {
        Self {
            reader,
            follower,
            max_wait,
        }
    }

    pub(crate) async fn get(
        &self,
        id: CircleId,
        wait: Wait,
    ) -> Result<Found<Option<Document>>, Failed> {
        self.recent_enough(wait, || self.reader.get(id)).await
    }

    pub(crate) async fn batch_get(
        &self,
        ids: &[CircleId],
        wait: Wait,
    ) -> Result<Found<Vec<Option<Document>>>, Failed> {
        self.recent_enough(wait, || self.reader.batch_get(ids))
            .await
    }

    pub(crate) async fn list(&self, query: &ListQuery, wait: Wait) -> Result<Page, Failed> {
        self.recent_enough(wait, || self.reader.list(query)).await
    }

    /// Reads; where that was too early, waits for the read model and reads again. Mostly the
    /// first read is enough, and then this costs nothing.
    async fn recent_enough<T: Dated, F>(
        &self,
        wait: Wait,
        read: impl Fn() -> F,
    ) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Error>>,
    {
        // The deadline runs while Redis is asked, too.
        let begun = Instant::now();
        match read().await {
            Ok(answer) if answer.sequence() >= wait.min => return Ok(answer),
            // Something to wait for is certain to come, as a command was answered with it.
            Ok(_) => {}
            Err(Error::NotBuilt) if wait.min > Sequence::ZERO => {}
            Err(error) => return Err(error.into()),
        }
        let (limit, too_late) = match wait.timeout {
            Some(timeout) if timeout <= self.max_wait => (
                timeout.saturating_sub(MARGIN),
                Failed::DeadlineExceeded(wait.min),
            ),
            _ => (self.max_wait, Failed::NotReached(wait.min)),
        };
        let patiently = async {
            loop {
                self.follower.wait_for(wait.min).await?;
                let answer = read().await?;
                // Unless a rebuild has set the read model back in between.
                if answer.sequence() >= wait.min {
                    return Ok(answer);
                }
            }
        };
        tokio::time::timeout_at(begun + limit, patiently)
            .await
            .unwrap_or(Err(too_late))
    }
}
