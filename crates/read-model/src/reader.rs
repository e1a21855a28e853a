//! The query service's side: reads, each in one command for each partition.

use std::sync::Arc;
use std::time::SystemTime;

use fred::bytes::Bytes;
use fred::interfaces::KeysInterface as _;
use fred::types::{Key, Value};
use futures_util::future::try_join_all;
use shared_domain::{CircleId, Sequence};

use crate::answer::unknown_answer;
use crate::as_of;
use crate::checkpoint::Checkpoint;
use crate::circles::Circles;
use crate::connection::Connection;
use crate::document::Document;
use crate::error::Error;
use crate::keys::Keys;
use crate::list::{self, Answer, ListQuery, Page, Walk};
use crate::loader::Loader;
use crate::script::{Script, script};

/// What was found, and how far the read model had come at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// What was found.
    pub value: T,
    /// The last event that it takes into account: the first one of these, where
    /// several partitions were asked.
    pub sequence: Sequence,
}

/// Reads the read model. Of each partition that a read needs it asks one
/// command, so one round trip and one moment, whatever its size.
#[derive(Clone)]
pub struct Reader {
    pub(crate) connection: Connection,
    /// By partition.
    partitions: Arc<[(Circles, Loader)]>,
    page: Script,
    filter: Script,
    pub(crate) past: Script,
}

impl Reader {
    /// Reads through `connection`.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        let partition = |keys: &Arc<Keys>| {
            let circles = Circles::new(connection.clone(), Arc::clone(keys));
            (circles.clone(), Loader::start(circles))
        };
        Self {
            partitions: connection.keys().iter().map(partition).collect(),
            connection,
            page: script!("page.lua"),
            filter: script!("parts.lua", "filter.lua"),
            past: script!("past.lua"),
        }
    }

    /// A moment of which everything is in the read model, by the projector's clock; none where that is not known.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`].
    pub async fn complete_as_of(&self) -> Result<Option<SystemTime>, Error> {
        let key = &self.connection.keys()[0].as_of;
        let stored: Result<Option<Bytes>, _> = self.connection.client().get(key).await;
        let stored = stored.map_err(|error| self.connection.explain(error, key))?;
        Ok(stored.and_then(|stored| as_of::read(&stored)))
    }

    /// One circle; none if it does not exist or is deleted. Calls at the same
    /// time share their commands.
    ///
    /// # Errors
    ///
    /// [`Error`]; [`Error::NotBuilt`] where nothing can be said of any circle.
    pub async fn get(&self, id: CircleId) -> Result<Found<Option<Document>>, Error> {
        let (_, loader) = &self.partitions[self.connection.layout().partition_of(id)];
        let (sequence, stored) = loader.read(id).await?;
        Ok(Found {
            value: stored.decode(self.keys_of(id), id)?,
            sequence,
        })
    }

    /// Circles in the order of `ids`. A thousand are fine.
    ///
    /// # Errors
    ///
    /// [`Error`]; [`Error::NotBuilt`] where nothing can be said of any circle,
    /// [`Error::Parked`] for the first one that is.
    pub async fn batch_get(&self, ids: &[CircleId]) -> Result<Found<Vec<Option<Document>>>, Error> {
        let layout = self.connection.layout();
        let mut asked: Vec<Vec<CircleId>> = vec![Vec::new(); self.partitions.len()];
        for id in ids {
            asked[layout.partition_of(*id)].push(*id);
        }
        let reads = self.partitions.iter().zip(&asked);
        let reads = reads.map(|((circles, _), asked)| async move {
            // No circle at all is asked of all.
            if asked.is_empty() && !ids.is_empty() {
                return Ok(None);
            }
            circles.read(asked).await.map(Some)
        });
        let answers = try_join_all(reads).await?;
        let sequence = answers.iter().flatten().map(|(sequence, _)| *sequence);
        let sequence = sequence.min().unwrap_or_default();
        let mut stored: Vec<_> = answers
            .into_iter()
            .map(|answer| {
                answer
                    .map_or_else(Vec::new, |(_, stored)| stored)
                    .into_iter()
            })
            .collect();
        let value = ids
            .iter()
            .map(|id| {
                let stored = stored[layout.partition_of(*id)].next();
                stored.unwrap_or_default().decode(self.keys_of(*id), *id)
            })
            .collect::<Result<_, _>>()?;
        Ok(Found { value, sequence })
    }

    /// One page of a list. Circles that are parked are listed as they were
    /// before.
    ///
    /// # Errors
    ///
    /// [`Error`]; [`Error::NotBuilt`] where nothing can be said of any circle,
    /// [`Error::ForeignPosition`] where the position is of another order.
    pub async fn list(&self, query: &ListQuery) -> Result<Page, Error> {
        let walk = Walk::new(query)?;
        let keys = self.connection.keys();
        let asks = keys.iter().map(|keys| self.ask(query, &walk, keys));
        let answers = try_join_all(asks).await?;
        list::page(query, &walk, &keys[0], &answers)
    }

    async fn ask(&self, query: &ListQuery, walk: &Walk, keys: &Keys) -> Result<Answer, Error> {
        let (script, index, arguments): (_, Vec<&String>, &Vec<Value>) = match walk {
            Walk::Stretch(arguments) => (&self.page, vec![keys.index(query.order)], arguments),
            Walk::Filter(arguments) => (
                &self.filter,
                vec![&keys.by_name, &keys.by_capacity, &keys.by_create_time],
                arguments,
            ),
        };
        let keys_of_call = [&keys.checkpoint].into_iter().chain(index);
        let answer = script
            .call(
                &self.connection,
                keys_of_call.map(Key::from).collect(),
                arguments.clone(),
            )
            .await?;
        let unknown = || unknown_answer(keys.index(query.order));
        match answer.as_slice() {
            [Some(kind), checkpoint, rest @ ..] if kind.as_ref() == b"page" => {
                let sequence = Checkpoint::sequence_of(keys, checkpoint.as_deref())?;
                Answer::new(sequence, rest).ok_or_else(unknown)
            }
            [Some(kind), Some(member)] if kind.as_ref() == b"unlisted" => {
                Err(list::unlisted(keys, member))
            }
            _ => Err(unknown()),
        }
    }

    /// The keys of the partition of a circle.
    pub(crate) fn keys_of(&self, id: CircleId) -> &Keys {
        &self.connection.keys()[self.connection.layout().partition_of(id)]
    }
}
