//! What the projection does not do as usual: parked circles, and holes in the
//! log that were let pass.

use std::collections::BTreeMap;

use fred::bytes::Bytes;
use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand, Value};
use shared_domain::{CircleId, Sequence};

use crate::answer::number;
use crate::error::Error;
use crate::parked::ParkedEvent;
use crate::projection::Partition;

impl Partition {
    /// The circles that are parked, and by what.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`].
    pub async fn parked(&self) -> Result<BTreeMap<CircleId, ParkedEvent>, Error> {
        let key = &self.keys.parked;
        self.hash(key)
            .await?
            .into_iter()
            .map(|(id, event)| {
                let id = CircleId::parse(&String::from_utf8_lossy(&id))
                    .map_err(|error| Error::unreadable(key, error))?;
                Ok((id, ParkedEvent::decode(key, &event)?))
            })
            .collect()
    }

    /// The holes of the log that were let pass: the last sequence before, the
    /// first one behind. Only the first partition has any.
    ///
    /// # Errors
    ///
    /// As [`Partition::parked`].
    pub async fn holes(&self) -> Result<BTreeMap<Sequence, Sequence>, Error> {
        let key = &self.keys.holes;
        let sequence = |text: &[u8]| number(key, text).map(Sequence::new);
        self.hash(key)
            .await?
            .into_iter()
            .map(|(after, next)| Ok((sequence(&after)?, sequence(&next)?)))
            .collect()
    }

    /// Lets a hole of the log pass, from now on.
    ///
    /// # Errors
    ///
    /// As [`Partition::parked`].
    pub async fn let_pass(&self, after: Sequence, next: Sequence) -> Result<(), Error> {
        let arguments: Vec<Value> = vec![
            self.keys.holes.as_str().into(),
            after.to_string().into(),
            next.to_string().into(),
        ];
        let command = CustomCommand::new_static("HSET", ClusterHash::FirstKey, false);
        let answer: Result<Value, _> = self.connection.client().custom(command, arguments).await;
        answer
            .map(drop)
            .map_err(|error| self.connection.explain(error, &self.keys.holes))
    }

    async fn hash(&self, key: &str) -> Result<Vec<(Bytes, Bytes)>, Error> {
        let command = CustomCommand::new_static("HGETALL", ClusterHash::FirstKey, false);
        let arguments: Vec<Value> = vec![key.into()];
        let stored: Result<Value, _> = self.connection.client().custom(command, arguments).await;
        // As RESP2 has it: fields and values in turn.
        stored
            .and_then(|stored| stored.convert::<Vec<Bytes>>())
            .map(|texts| {
                let (pairs, _) = texts.as_chunks::<2>();
                pairs
                    .iter()
                    .cloned()
                    .map(|[field, value]| (field, value))
                    .collect()
            })
            .map_err(|error| self.connection.explain(error, key))
    }
}
