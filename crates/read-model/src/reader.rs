//! The query service's side: reads, each in one command.

use fred::bytes::Bytes;
use shared_domain::{CircleId, Sequence};

use crate::checkpoint::Checkpoint;
use crate::connection::Connection;
use crate::document::Document;
use crate::error::{Corruption, Error};
use crate::keys;
use crate::list::{ListQuery, Page, Walk};
use crate::position::Position;
use crate::projection;
use crate::script::Script;

/// What was found, and how far the read model had come at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// What was found.
    pub value: T,
    /// The last event that it takes into account.
    pub sequence: Sequence,
}

/// Reads the read model. Every read is one command, so one round trip and one
/// moment, whatever its size.
#[derive(Clone)]
pub struct Reader {
    connection: Connection,
    list: Script,
}

impl Reader {
    /// Reads through `connection`.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            list: Script::new(include_str!("list.lua"), "circles:*"),
        }
    }

    /// One circle; none if it does not exist or is deleted.
    ///
    /// # Errors
    ///
    /// [`Error`]; [`Error::NotBuilt`] where nothing can be said of any circle.
    pub async fn get(&self, id: CircleId) -> Result<Found<Option<Document>>, Error> {
        let Found { value, sequence } = self.batch_get(&[id]).await?;
        Ok(Found {
            value: value.into_iter().next().flatten(),
            sequence,
        })
    }

    /// Circles in the order of `ids`. A thousand are fine.
    ///
    /// # Errors
    ///
    /// [`Error`]; [`Error::NotBuilt`] where nothing can be said of any circle.
    pub async fn batch_get(&self, ids: &[CircleId]) -> Result<Found<Vec<Option<Document>>>, Error> {
        let (checkpoint, value) = projection::read(&self.connection, ids).await?;
        Ok(Found {
            value,
            sequence: checkpoint.ok_or(Error::NotBuilt)?.sequence,
        })
    }

    /// One page of a list.
    ///
    /// # Errors
    ///
    /// [`Error`]; [`Error::NotBuilt`] where nothing can be said of any circle,
    /// [`Error::ForeignPosition`] where the position is of another order.
    pub async fn list(&self, query: &ListQuery) -> Result<Page, Error> {
        let Walk { index, arguments } = Walk::new(query)?;
        let keys = vec![keys::CHECKPOINT.into(), index.into()];
        let answer = self.list.call(&self.connection, keys, arguments).await?;
        read_page(query, index, &answer)
    }
}

fn read_page(query: &ListQuery, index: &str, answer: &[Option<Bytes>]) -> Result<Page, Error> {
    let corrupt = |entry: &[u8]| Error::Corrupt {
        key: index.to_owned(),
        corruption: Corruption::Unreadable(format!(
            "the entry {:?} is not of its form",
            String::from_utf8_lossy(entry)
        )),
    };
    let [Some(kind), checkpoint, rest @ ..] = answer else {
        return Err(corrupt(b""));
    };
    let ([next, circles @ ..], b"page") = (rest, kind.as_ref()) else {
        return Err(corrupt(checkpoint.as_deref().unwrap_or_default()));
    };
    let checkpoint = checkpoint.as_deref().ok_or(Error::NotBuilt)?;
    let checkpoint = Checkpoint::decode(checkpoint)?;
    let next = next
        .as_deref()
        .map(|entry| Position::of_entry(query.order, entry).ok_or_else(|| corrupt(entry)))
        .transpose()?;
    let (pairs, _) = circles.as_chunks::<2>();
    let documents = pairs
        .iter()
        .map(|[id, document]| {
            let id = id.as_deref().unwrap_or_default();
            let id = std::str::from_utf8(id)
                .ok()
                .and_then(|text| CircleId::parse(text).ok())
                .ok_or_else(|| corrupt(id))?;
            let document = document.as_deref().ok_or_else(|| Error::Corrupt {
                key: keys::document(id),
                corruption: Corruption::Absent,
            })?;
            Document::decode(id, document)
        })
        .collect::<Result<_, _>>()?;
    Ok(Page {
        documents,
        next,
        sequence: checkpoint.sequence,
    })
}
