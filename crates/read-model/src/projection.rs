//! The projector's side: reads what it changes, writes a batch in one step.

use fred::bytes::Bytes;
use fred::interfaces::KeysInterface;
use fred::types::{Key, SetOptions, Value};
use shared_domain::CircleId;

use crate::batch::{Batch, Change};
use crate::checkpoint::Checkpoint;
use crate::connection::Connection;
use crate::document::Document;
use crate::error::{Corruption, Error};
use crate::keys;
use crate::script::Script;

/// How many documents one command reads.
const CHUNK: usize = 1_000;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is written.
    Applied,
    /// Nothing of it was written: the checkpoint is not the expected one.
    Superseded {
        /// The checkpoint that is there; none where Redis has lost it.
        found: Option<Checkpoint>,
    },
}

/// Writes the read model.
#[derive(Clone)]
pub struct Projection {
    connection: Connection,
    apply: Script,
}

impl Projection {
    /// Writes through `connection`.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            apply: Script::new(include_str!("apply.lua"), "circles:*"),
        }
    }

    /// How far the read model has come; none where it was never built.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`].
    pub async fn checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        let stored: Result<Option<Bytes>, _> = self.connection.client().get(keys::CHECKPOINT).await;
        stored
            .map_err(|error| self.connection.explain(error, keys::CHECKPOINT))?
            .map(|stored| Checkpoint::decode(&stored))
            .transpose()
    }

    /// Writes [`Checkpoint::EMPTY`] if there is none, with which the read
    /// model is built, of the empty log. Says whether it did.
    ///
    /// # Errors
    ///
    /// [`Error::Unreachable`] and [`Error::Refused`].
    pub async fn initialize(&self) -> Result<bool, Error> {
        let client = self.connection.client();
        let empty = Checkpoint::EMPTY.encode();
        let only_new = Some(SetOptions::NX);
        let written: Result<Option<String>, _> = client
            .set(keys::CHECKPOINT, empty, None, only_new, false)
            .await;
        written
            .map(|written| written.is_some())
            .map_err(|error| self.connection.explain(error, keys::CHECKPOINT))
    }

    /// The documents of these circles, in this order, none for a circle that
    /// has none. One command for each thousand.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`].
    pub async fn documents(&self, ids: &[CircleId]) -> Result<Vec<Option<Document>>, Error> {
        let mut documents = Vec::with_capacity(ids.len());
        for ids in ids.chunks(CHUNK) {
            let (_, found) = read(&self.connection, ids).await?;
            documents.extend(found);
        }
        Ok(documents)
    }

    /// Writes the batch and its checkpoint in one step, if the checkpoint is
    /// still `expected`.
    ///
    /// After [`Error::Unreachable`] the batch may or may not be written: the
    /// answer can be lost as well as the question. Calling again is safe, and
    /// answers [`Outcome::Superseded`] with the batch's own checkpoint where
    /// it was written. The client itself sends a command again when the
    /// connection breaks under it, so even the first call can answer this.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`]. [`Error::Corrupt`] where the
    /// index lacks a circle that the batch updates; nothing is written then.
    pub async fn apply(&self, expected: &Checkpoint, batch: &Batch) -> Result<Outcome, Error> {
        let mut keys: Vec<Key> = Vec::with_capacity(4 + batch.changes().len());
        keys.push(keys::CHECKPOINT.into());
        keys.push(keys::BY_NAME.into());
        keys.push(keys::BY_CAPACITY.into());
        keys.push(keys::BY_CREATE_TIME.into());
        let mut arguments: Vec<Value> = Vec::with_capacity(3 + 8 * batch.changes().len());
        arguments.push(expected.encode().into());
        arguments.push(batch.checkpoint().encode().into());
        arguments.push(keys::APPLIED.into());
        for change in batch.changes() {
            keys.push(keys::document(change.id()).into());
            arguments.extend(arguments_of(change));
        }

        let answer = self.apply.call(&self.connection, keys, arguments).await?;
        let second = answer.get(1).and_then(Option::as_deref);
        match answer.first().and_then(Option::as_deref) {
            Some(b"applied") => Ok(Outcome::Applied),
            Some(b"superseded") => Ok(Outcome::Superseded {
                found: second.map(Checkpoint::decode).transpose()?,
            }),
            _ => Err(unlisted(batch, second)),
        }
    }
}

fn arguments_of(change: &Change) -> [Value; 8] {
    let (before, after) = (change.before(), change.after());
    let text = |document: Option<&Document>, encode: fn(&Document) -> String| {
        document.map(encode).unwrap_or_default().into()
    };
    [
        text(after, Document::encode),
        text(before, keys::by_name_member),
        text(before, keys::by_capacity_member),
        text(before, keys::by_create_time_member),
        text(after, keys::by_name_member),
        text(after, keys::by_capacity_member),
        text(after, keys::by_create_time_member),
        change
            .created()
            .map(|sequence| sequence.to_string())
            .unwrap_or_default()
            .into(),
    ]
}

fn unlisted(batch: &Batch, number: Option<&[u8]>) -> Error {
    let change = number
        .and_then(|number| std::str::from_utf8(number).ok()?.parse().ok())
        .and_then(|number| batch.changes().nth(number));
    Error::Corrupt {
        key: keys::BY_CREATE_TIME.to_owned(),
        corruption: match change {
            Some(change) => Corruption::NotListed { id: change.id() },
            None => Corruption::Unreadable("the script's answer is unknown".to_owned()),
        },
    }
}

/// The checkpoint and some documents as of one moment, in one command.
pub(crate) async fn read(
    connection: &Connection,
    ids: &[CircleId],
) -> Result<(Option<Checkpoint>, Vec<Option<Document>>), Error> {
    // The checkpoint goes first even where nobody asks for it: the client
    // takes a list for a published message if its first text is "message",
    // and that should not be for a damaged document to decide.
    let keys: Vec<Key> = std::iter::once(Key::from(keys::CHECKPOINT))
        .chain(ids.iter().map(|id| keys::document(*id).into()))
        .collect();
    let stored: Result<Vec<Option<Bytes>>, _> = connection.client().mget(keys).await;
    let mut stored = stored
        .map_err(|error| connection.explain(error, "circle:*"))?
        .into_iter();
    let checkpoint = stored
        .next()
        .flatten()
        .map(|stored| Checkpoint::decode(&stored))
        .transpose()?;
    let documents = ids
        .iter()
        .zip(stored)
        .map(|(id, stored)| stored.map(|text| Document::decode(*id, &text)).transpose())
        .collect::<Result<_, _>>()?;
    Ok((checkpoint, documents))
}
