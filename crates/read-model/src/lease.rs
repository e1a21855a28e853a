//! Who works and who stands by.

use std::time::Duration;

use fred::types::{Key, Value};

use crate::answer::unknown_answer;
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
            script: Script::new(include_str!("lease.lua"), "circles:lease"),
        }
    }

    /// Takes the lease or keeps it. Answers whether it is ours now.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`].
    pub async fn take(&self) -> Result<bool, Error> {
        let milliseconds = i64::try_from(self.time_to_live.as_millis()).unwrap_or(i64::MAX);
        self.call(milliseconds).await
    }

    /// Gives the lease back, if it is ours, so that a stand-by need not wait.
    ///
    /// # Errors
    ///
    /// As [`Lease::take`].
    pub async fn give_back(&self) -> Result<(), Error> {
        self.call(0).await.map(drop)
    }

    async fn call(&self, milliseconds: i64) -> Result<bool, Error> {
        let keys = vec![Key::from(self.partition.keys.lease.as_str())];
        let arguments: Vec<Value> = vec![self.holder.as_str().into(), milliseconds.into()];
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
