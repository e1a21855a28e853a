//! Reading circles of one partition, in one moment.

use std::sync::Arc;

use fred::bytes::Bytes;
use fred::types::{Key, Value};
use shared_domain::{CircleId, Sequence};

use crate::answer::unknown_answer;
use crate::checkpoint::Checkpoint;
use crate::connection::Connection;
use crate::document::Document;
use crate::error::Error;
use crate::keys::Keys;
use crate::parked::ParkedEvent;
use crate::script::{Script, script};

/// Reads circles of one partition.
#[derive(Clone)]
pub(crate) struct Circles {
    connection: Connection,
    keys: Arc<Keys>,
    parked: Script,
}

/// What was read of one circle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    document: Option<Bytes>,
    parked: Option<Bytes>,
}

impl Circles {
    pub(crate) fn new(connection: Connection, keys: Arc<Keys>) -> Self {
        Self {
            connection,
            keys,
            parked: script!("parts.lua", "parked.lua"),
        }
    }

    /// What is stored of each circle, and how far the partition had come. One
    /// command, or two while circles are parked.
    pub(crate) async fn read(&self, ids: &[CircleId]) -> Result<(Sequence, Vec<Stored>), Error> {
        let mut keys: Vec<Key> = Vec::with_capacity(ids.len() + 2);
        keys.push(self.keys.checkpoint.as_str().into());
        keys.push(self.keys.parked_count.as_str().into());
        keys.extend(ids.iter().map(|id| Key::from(self.keys.document(*id))));
        let mut stored = self.connection.read(keys, "circle:*").await?.into_iter();
        let checkpoint = stored.next().flatten();
        let sequence = Checkpoint::sequence_of(&self.keys, checkpoint.as_deref())?;
        if stored.next().flatten().is_some() {
            return self.read_with_parked(ids).await;
        }
        let stored = stored.map(|document| Stored {
            document,
            parked: None,
        });
        Ok((sequence, stored.collect()))
    }

    async fn read_with_parked(&self, ids: &[CircleId]) -> Result<(Sequence, Vec<Stored>), Error> {
        let mut keys: Vec<Key> = vec![
            self.keys.checkpoint.as_str().into(),
            self.keys.parked.as_str().into(),
        ];
        keys.extend(ids.iter().map(|id| Key::from(self.keys.document(*id))));
        let arguments: Vec<Value> = ids.iter().map(|id| id.to_string().into()).collect();
        let answer = self.parked.call(&self.connection, keys, arguments).await?;
        let [_, checkpoint, stored @ ..] = answer.as_slice() else {
            return Err(unknown_answer(&self.keys.parked));
        };
        let (documents, parked) = stored
            .split_at_checked(ids.len())
            .ok_or_else(|| unknown_answer(&self.keys.parked))?;
        let stored = documents.iter().zip(parked);
        let stored = stored.map(|(document, parked)| Stored {
            document: document.clone(),
            parked: parked.clone(),
        });
        let sequence = Checkpoint::sequence_of(&self.keys, checkpoint.as_deref())?;
        Ok((sequence, stored.collect()))
    }
}

impl Stored {
    /// The circle; none where there is none.
    pub(crate) fn decode(&self, keys: &Keys, id: CircleId) -> Result<Option<Document>, Error> {
        check_parked(keys, id, self.parked.as_deref())?;
        let document = self.document.as_deref();
        document
            .map(|stored| {
                Document::decode(id, stored).map_err(|corruption| Error::Corrupt {
                    key: keys.document(id),
                    corruption,
                })
            })
            .transpose()
    }
}

/// Fails for a circle that an event parks.
pub(crate) fn check_parked(keys: &Keys, id: CircleId, event: Option<&[u8]>) -> Result<(), Error> {
    let Some(event) = event else {
        return Ok(());
    };
    let ParkedEvent { sequence, .. } = ParkedEvent::decode(&keys.parked, event)?;
    Err(Error::Parked { id, sequence })
}
