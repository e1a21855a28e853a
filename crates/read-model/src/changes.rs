//! Reading the stream of changes.

use fred::bytes::Bytes;
use fred::types::{Key, Value};
use serde::Deserialize;
use shared_domain::Sequence;

use crate::answer::{number, unknown_answer};
use crate::change::{ChangeEntry, ChangePosition};
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::projection::Partition;

/// Entries of a partition's changes, and where the partition was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePage {
    /// How far the partition had come; none where it is not built.
    pub checkpoint: Option<Checkpoint>,
    /// All changes after this are kept.
    pub floor: Sequence,
    /// What the log lost, if it ever did.
    pub rewound: Option<Rewound>,
    /// The entries.
    pub entries: Vec<ChangeEntry>,
}

/// Events that the log lost. It has others there now, or will have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Rewound {
    /// The last event before them.
    pub common: Sequence,
    /// The last one that was lost.
    pub until: Sequence,
    /// How often that happened; the events are those of all these times.
    #[serde(default)]
    pub times: u64,
}

impl Rewound {
    /// Where to go on who has been told of everything up to `sequence`.
    pub(crate) fn lead_back(&self, sequence: Sequence) -> Option<Sequence> {
        (self.common < sequence && sequence <= self.until).then_some(self.common)
    }
}

impl Partition {
    /// Up to `count` changes after a place, in their order.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`].
    pub async fn changes_after(
        &self,
        place: ChangePosition,
        count: u32,
    ) -> Result<ChangePage, Error> {
        self.read_changes("after", place.to_string(), count).await
    }

    /// Up to `count` changes before a place, the latest first; the latest of
    /// all where there is no place.
    ///
    /// # Errors
    ///
    /// As [`Partition::changes_after`].
    pub async fn changes_before(
        &self,
        place: Option<ChangePosition>,
        count: u32,
    ) -> Result<ChangePage, Error> {
        const LAST: &str = "18446744073709551615-18446744073709551615";
        let place = place.map_or_else(|| LAST.to_owned(), |place| place.to_string());
        self.read_changes("before", place, count).await
    }

    async fn read_changes(
        &self,
        direction: &'static str,
        place: String,
        count: u32,
    ) -> Result<ChangePage, Error> {
        let keys: Vec<Key> = [
            &self.keys.checkpoint,
            &self.keys.changes,
            &self.keys.changes_floor,
            &self.keys.rewound,
        ]
        .map(Key::from)
        .into();
        let arguments: Vec<Value> = vec![direction.into(), place.into(), i64::from(count).into()];
        let answer = self
            .scripts
            .changes
            .call(&self.connection, keys, arguments)
            .await?;
        let [Some(kind), checkpoint, floor, rewound, entries @ ..] = answer.as_slice() else {
            return Err(unknown_answer(&self.keys.changes));
        };
        if kind.as_ref() != b"changes" {
            return Err(unknown_answer(&self.keys.changes));
        }
        Ok(ChangePage {
            checkpoint: checkpoint
                .as_ref()
                .map(|stored| Checkpoint::decode(&self.keys.checkpoint, stored))
                .transpose()?,
            floor: match floor {
                Some(stored) => Sequence::new(number(&self.keys.changes_floor, stored)?),
                None => Sequence::ZERO,
            },
            rewound: rewound
                .as_ref()
                .map(|stored| self.rewound(stored))
                .transpose()?,
            entries: self.entries(entries)?,
        })
    }

    fn rewound(&self, stored: &[u8]) -> Result<Rewound, Error> {
        serde_json::from_slice(stored).map_err(|error| Error::unreadable(&self.keys.rewound, error))
    }

    fn entries(&self, stored: &[Option<Bytes>]) -> Result<Vec<ChangeEntry>, Error> {
        let (entries, _) = stored.as_chunks::<6>();
        entries
            .iter()
            .map(|[id, fields @ ..]| {
                let id = id.as_deref().unwrap_or_default();
                let fields = fields
                    .each_ref()
                    .map(|field| field.as_deref().unwrap_or_default());
                ChangeEntry::decode(id, fields).ok_or_else(|| {
                    let id = String::from_utf8_lossy(id);
                    let why = format!("the entry {id} is not of its form");
                    Error::unreadable(&self.keys.changes, why)
                })
            })
            .collect()
    }
}
