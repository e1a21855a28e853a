//! Who works and who stands by.

use std::time::{Duration, SystemTime};

use fred::types::{Key, Value};

use crate::answer::unknown_answer;
use crate::as_of;
use crate::error::Error;
use crate::projection::Partition;
use crate::script::Script;

/// A lease on the read models. It only spares projectors from working against
/// each other: what they write is right without it.
#[derive(Clone)]
pub struct Lease {
    partition: Partition,
    holder: String,
    time_to_live: Duration,
    script: Script,
}

impl Lease {
    /// A lease for `holder`, kept where the first partition is.
    #[must_use]
    pub fn new(first: Partition, holder: String, time_to_live: Duration) -> Self {
        Self {
            partition: first,
            holder,
            time_to_live,
            script: Script::new(include_str!("lease.lua"), "circles:*"),
        }
    }

    /// Takes the lease or keeps it. Answers whether it is ours now; then it is told, too, that the read model holds all
    /// that was in the log at `as_of`, where that is known ([`Reader::complete_as_of`](crate::Reader::complete_as_of)).
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`].
    pub async fn take(&self, as_of: Option<SystemTime>) -> Result<bool, Error> {
        let milliseconds = i64::try_from(self.time_to_live.as_millis()).unwrap_or(i64::MAX);
        self.call(milliseconds, as_of).await
    }

    /// Gives the lease back, if it is ours, so that a stand-by need not wait.
    ///
    /// # Errors
    ///
    /// As [`Lease::take`].
    pub async fn give_back(&self) -> Result<(), Error> {
        self.call(0, None).await.map(drop)
    }

    async fn call(&self, milliseconds: i64, as_of: Option<SystemTime>) -> Result<bool, Error> {
        let keys = &self.partition.keys;
        let keys = vec![
            Key::from(keys.lease.as_str()),
            Key::from(keys.as_of.as_str()),
        ];
        let arguments: Vec<Value> = vec![
            self.holder.as_str().into(),
            milliseconds.into(),
            as_of.map(as_of::write).unwrap_or_default().into(),
        ];
        let answer = self
            .script
            .call(&self.partition.connection, keys, arguments)
            .await?;
        match answer.first().and_then(Option::as_deref) {
            Some(b"ours") => Ok(true),
            Some(b"theirs") => Ok(false),
            _ => Err(unknown_answer(&self.partition.keys.lease)),
        }
    }
}
