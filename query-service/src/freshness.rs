//! Whether the read model is young enough for queries to be sent here.

use std::time::{Duration, SystemTime};

use read_model::Reader;
use service_kit::health::Readiness;
use service_kit::program::chain;

/// How often that is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// How old the read model is, as far as it was told.
pub(crate) struct Freshness {
    reader: Reader,
    max_lag: Duration,
    /// The latest moment of which everything is known to be in the read model.
    as_of: Option<SystemTime>,
}

impl Freshness {
    pub(crate) fn new(reader: Reader, max_lag: Duration) -> Self {
        Self {
            reader,
            max_lag,
            as_of: None,
        }
    }

    /// Looks until the read model is young enough.
    pub(crate) async fn reached(&mut self) {
        while !self.look().await {
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Turns the health with the read model's age, for ever.
    pub(crate) async fn keep(mut self, readiness: Readiness) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            readiness.set(self.look().await);
        }
    }

    /// Whether it is young enough now. What is not told, as while new read models take the place of the old
    /// ones, leaves what was known: that grows older all the same.
    async fn look(&mut self) -> bool {
        match self.reader.complete_as_of().await {
            Ok(told) => self.as_of = self.as_of.max(told),
            Err(error) => {
                tracing::debug!(error = %chain(&error), "the read model's age is not told")
            }
        }
        self.as_of.is_some_and(|as_of| age(as_of) <= self.max_lag)
    }
}

/// How long ago that was. The projector's clock may be ahead of ours.
pub(crate) fn age(as_of: SystemTime) -> Duration {
    as_of.elapsed().unwrap_or_default()
}
