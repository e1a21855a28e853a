//! Looking through a whole partition, for audits and for comparisons.

use std::collections::BTreeSet;

use fred::bytes::Bytes;
use fred::types::{Key, Value};
use shared_domain::CircleId;

use crate::answer::{number, unknown_answer};
use crate::arguments::count_of;
use crate::error::Error;
use crate::projection::Partition;
use crate::standing::RepairMode;

/// How many entries of an index are looked at in one command.
const SWEPT_AT_ONCE: i64 = 50;

/// Where a sweep through the indexes is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    index: usize,
    bound: Option<Bytes>,
}

impl Sweep {
    /// Before the first entry of the first index.
    pub const BEGIN: Self = Self {
        index: 0,
        bound: None,
    };
}

/// What a part of a sweep found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Where to go on; none at the end.
    pub next: Option<Sweep>,
    /// How many entries belong to no circle as it is shown.
    pub stray: u64,
}

/// Where a scan goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// Where it begins.
    #[must_use]
    pub fn begin() -> Self {
        Self("0".to_owned())
    }
}

/// A part of what a partition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// Where to go on; none at the end.
    pub next: Option<Cursor>,
    /// Circles of which anything is stored.
    pub ids: BTreeSet<CircleId>,
    /// Circles of which the history was met, of which each has one.
    pub histories: Vec<CircleId>,
}

impl Partition {
    /// Some circles of which anything is stored. A circle can come
    /// several times; one that is there all the time comes.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`].
    pub async fn scan(&self, cursor: &Cursor) -> Result<Scanned, Error> {
        let keys = vec![Key::from(self.keys.checkpoint.as_str())];
        let pattern = format!("{}*", self.keys.documents);
        let arguments: Vec<Value> = vec![cursor.0.as_str().into(), pattern.into()];
        let answer = self
            .scripts
            .scan
            .call(&self.connection, keys, arguments)
            .await?;
        let [_, Some(next), found @ ..] = answer.as_slice() else {
            return Err(unknown_answer(&self.keys.documents));
        };
        let mut scanned = Scanned {
            next: (next.as_ref() != b"0")
                .then(|| Cursor(String::from_utf8_lossy(next).into_owned())),
            ids: BTreeSet::new(),
            histories: Vec::new(),
        };
        for key in found.iter().flatten() {
            let key = std::str::from_utf8(key).unwrap_or_default();
            let rest = key.strip_prefix(self.keys.documents.as_str());
            let id = rest.map(|rest| rest.strip_suffix(":history").unwrap_or(rest));
            if let Some(id) = id.and_then(|id| CircleId::parse(id).ok()) {
                if key.ends_with(":history") {
                    scanned.histories.push(id);
                }
                scanned.ids.insert(id);
            }
        }
        Ok(scanned)
    }

    /// A text for each of these circles, which is the same for two circles of
    /// which the same is shown: document, history, and entries of the indexes.
    ///
    /// # Errors
    ///
    /// As [`Partition::scan`].
    pub async fn digests(&self, ids: &[CircleId]) -> Result<Vec<Option<Bytes>>, Error> {
        let mut keys: Vec<Key> = [
            &self.keys.by_name,
            &self.keys.by_capacity,
            &self.keys.by_create_time,
        ]
        .map(Key::from)
        .into();
        for id in ids {
            keys.push(self.keys.document(*id).into());
            keys.push(self.keys.history(*id).into());
        }
        let arguments = vec![count_of(ids.len())];
        let mut answer = self
            .scripts
            .digest
            .call(&self.connection, keys, arguments)
            .await?;
        if answer.len() != ids.len() + 1 {
            return Err(unknown_answer(&self.keys.documents));
        }
        Ok(answer.split_off(1))
    }

    /// Looks through a part of the indexes for entries that belong to no circle
    /// as it is shown, and removes them where `mode` says so.
    ///
    /// # Errors
    ///
    /// As [`Partition::scan`].
    pub async fn sweep(&self, from: &Sweep, mode: RepairMode) -> Result<Swept, Error> {
        let indexes = [
            (&self.keys.by_name, "BYLEX", "-", "name"),
            (&self.keys.by_capacity, "BYLEX", "-", "capacity"),
            (&self.keys.by_create_time, "BYSCORE", "-inf", "capacity"),
        ];
        let Some((index, by, begin, members)) = indexes.get(from.index) else {
            return Ok(Swept {
                next: None,
                stray: 0,
            });
        };
        let keys = vec![Key::from(*index), Key::from(self.keys.checkpoint.as_str())];
        let bound = from
            .bound
            .clone()
            .map_or_else(|| (*begin).into(), Value::from);
        let arguments: Vec<Value> = vec![
            (*by).into(),
            bound,
            SWEPT_AT_ONCE.into(),
            self.keys.documents.as_str().into(),
            (*members).into(),
            mode.as_str().into(),
        ];
        let answer = self
            .scripts
            .sweep
            .call(&self.connection, keys, arguments)
            .await?;
        let [_, Some(next), Some(stray)] = answer.as_slice() else {
            return Err(unknown_answer(index));
        };
        let next = if next.is_empty() {
            Sweep {
                index: from.index + 1,
                bound: None,
            }
        } else {
            Sweep {
                index: from.index,
                bound: Some(next.clone()),
            }
        };
        Ok(Swept {
            next: Some(next).filter(|next| next.index < indexes.len()),
            stray: number(index, stray)?,
        })
    }
}
