//! The projector's side: where the read models are, and the writes that move
//! them on, mend them, and take them back.

use std::sync::Arc;

use fred::types::{Key, Value};
use shared_domain::{CircleId, Sequence};

use crate::answer::{kind, number, numbered, unknown_answer};
use crate::arguments::{count_of, marks, none, parked, push_change, push_history, shown, text};
use crate::batch::{Batch, Repair};
use crate::checkpoint::Checkpoint;
use crate::connection::Connection;
use crate::error::Error;
use crate::history::HistoryEntry;
use crate::keys::{self, Keys};
use crate::parked::Parked;
use crate::scripts::Scripts;
use crate::standing::{Outcome, Phase, RepairMode, Repaired, Standing};

/// How many histories one command looks at.
const CHUNK: usize = 1_000;

/// How many changes are kept for watches, unless that is set.
pub const CHANGES_KEPT: u32 = 100_000;

/// A batch that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Prepared {
    keys: Vec<Key>,
    arguments: Vec<Value>,
    next: Standing,
    circles: Vec<CircleId>,
}

/// Writes one partition of the read models.
#[derive(Clone)]
pub struct Partition {
    pub(crate) connection: Connection,
    pub(crate) keys: Arc<Keys>,
    index: usize,
    announces: bool,
    changes_kept: u32,
    pub(crate) scripts: Arc<Scripts>,
}

/// The partitions of the read models on a connection.
#[must_use]
pub fn partitions(connection: &Connection) -> Vec<Partition> {
    let scripts = Arc::new(Scripts::new());
    let partition = |(index, keys): (usize, &Arc<Keys>)| Partition {
        connection: connection.clone(),
        keys: Arc::clone(keys),
        index,
        announces: true,
        changes_kept: CHANGES_KEPT,
        scripts: Arc::clone(&scripts),
    };
    connection
        .keys()
        .iter()
        .enumerate()
        .map(partition)
        .collect()
}

impl Partition {
    /// Tells nobody of what is written here, as nobody reads it.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.announces = false;
        self
    }

    /// Keeps so many changes for watches, instead of [`CHANGES_KEPT`].
    #[must_use]
    pub fn keeping(mut self, changes: u32) -> Self {
        self.changes_kept = changes;
        self
    }

    /// How many changes are kept for watches.
    #[must_use]
    pub const fn changes_kept(&self) -> u32 {
        self.changes_kept
    }

    /// Where the partition is; none where it was never built, its keys are of
    /// another layout, or remains are being wiped.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`].
    pub async fn standing(&self) -> Result<Option<Standing>, Error> {
        let Keys {
            checkpoint,
            building,
            revision,
            layout,
            ..
        } = &*self.keys;
        let keys = [checkpoint, building, revision, layout].map(Key::from);
        let mut stored = self
            .connection
            .read(keys.into(), checkpoint)
            .await?
            .into_iter();
        let [live, built, revised, as_laid_out] = std::array::from_fn(|_| stored.next().flatten());
        if as_laid_out.as_deref() != Some(keys::LAYOUT.as_bytes()) {
            return Ok(None);
        }
        let revision = match revised {
            None => 0,
            Some(text) => number(revision, &text)?,
        };
        let (phase, stored, key) = match (live, built) {
            (Some(stored), _) => (Phase::Live, stored, checkpoint),
            (None, Some(stored)) if !stored.starts_with(WIPING.as_bytes()) => {
                (Phase::Building, stored, building)
            }
            (None, _) => return Ok(None),
        };
        Ok(Some(Standing {
            phase,
            checkpoint: Checkpoint::decode(key, &stored)?,
            revision,
        }))
    }

    /// The last entry of each circle's history, in this order; none for a circle
    /// that has none, or one that can't be read, as no event fits either. One
    /// command for each thousand.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`].
    pub async fn latest(&self, ids: &[CircleId]) -> Result<Vec<Option<HistoryEntry>>, Error> {
        let mut latest = Vec::with_capacity(ids.len());
        for ids in ids.chunks(CHUNK) {
            let keys: Vec<Key> = ids.iter().map(|id| self.keys.history(*id).into()).collect();
            let answer = self
                .scripts
                .latest
                .call(&self.connection, keys, Vec::new())
                .await?;
            latest.extend(answer.iter().skip(1).map(|entry| {
                let entry = entry.as_deref().unwrap_or_default();
                HistoryEntry::decode("history", entry).ok()
            }));
        }
        Ok(latest)
    }

    /// Writes the batch and its checkpoint in one step, if the standing is still
    /// `expected`.
    ///
    /// After [`Error::Unreachable`] the batch may or may not be written: the
    /// answer can be lost as well as the question. Calling again is safe, and
    /// answers [`Outcome::Superseded`] where it was written. The client itself
    /// sends a command again when the connection breaks under it, so even the
    /// first call can answer this.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`].
    pub async fn apply(&self, expected: &Standing, batch: &Batch) -> Result<Outcome, Error> {
        self.write(self.prepare(expected, batch)).await
    }

    /// Makes ready what [`write`](Self::write) sends, which is most of the work.
    #[must_use]
    pub fn prepare(&self, expected: &Standing, batch: &Batch) -> Prepared {
        let next = expected.after(batch);
        let mut keys = self.fixed_keys();
        keys.reserve(2 * batch.changes.len());
        let mut arguments: Vec<Value> = Vec::with_capacity(13 + 10 * batch.changes.len());
        arguments.extend(marks(Some(expected)));
        let [checkpoint, building, _] = marks(Some(&next));
        arguments.extend([checkpoint, building]);
        let before = batch
            .entries
            .first()
            .map_or(0, |first| first.position.sequence.get().saturating_sub(1));
        arguments.push(text(before));
        arguments.extend(self.announcement(next.checkpoint.sequence));
        arguments.push(i64::from(self.changes_kept).into());
        arguments.push(batch.entries_after.map(text).unwrap_or_else(none));
        for count in [batch.changes.len(), batch.entries.len(), batch.parked.len()] {
            arguments.push(count_of(count));
        }
        for change in &batch.changes {
            keys.push(self.keys.document(change.id).into());
            keys.push(self.keys.history(change.id).into());
            push_change(&mut arguments, change);
        }
        for entry in &batch.entries {
            arguments.push(text(entry.position));
            arguments.extend(entry.fields().map(Value::from));
        }
        for Parked { circle_id, event } in &batch.parked {
            arguments.push(text(circle_id));
            arguments.push(event.encode().into());
        }
        Prepared {
            keys,
            arguments,
            next,
            circles: batch.changes.iter().map(|change| change.id).collect(),
        }
    }

    /// The second half of [`apply`](Self::apply).
    ///
    /// # Errors
    ///
    /// As [`Partition::apply`].
    pub async fn write(&self, prepared: Prepared) -> Result<Outcome, Error> {
        let Prepared {
            keys,
            arguments,
            next,
            circles,
        } = prepared;
        let answer = self
            .scripts
            .apply
            .call(&self.connection, keys, arguments)
            .await?;
        match kind(&answer) {
            b"applied" => Ok(Outcome::Applied(next)),
            b"superseded" => Ok(Outcome::Superseded),
            b"unfit" => Ok(Outcome::Unfit(
                numbered(&answer[1..], &circles).copied().collect(),
            )),
            _ => Err(unknown_answer(&self.keys.checkpoint)),
        }
    }

    /// Writes all of some circles into a read model that is built and has none of
    /// them yet, if the standing is still `expected`. Answers whether it was.
    ///
    /// # Errors
    ///
    /// As [`Partition::apply`].
    pub async fn fill(&self, expected: &Standing, circles: &[Repair]) -> Result<bool, Error> {
        let mut keys: Vec<Key> = [
            &self.keys.checkpoint,
            &self.keys.building,
            &self.keys.revision,
            &self.keys.by_name,
            &self.keys.by_capacity,
            &self.keys.by_create_time,
            &self.keys.parked,
            &self.keys.parked_count,
        ]
        .map(Key::from)
        .into();
        let mut arguments: Vec<Value> = marks(Some(expected)).into();
        arguments.push(count_of(circles.len()));
        for circle in circles {
            keys.push(self.keys.document(circle.id).into());
            keys.push(self.keys.history(circle.id).into());
            arguments.extend(shown(circle));
            arguments.push(parked(circle));
            push_history(&mut arguments, &circle.history);
        }
        let answer = self
            .scripts
            .fill
            .call(&self.connection, keys, arguments)
            .await?;
        match kind(&answer) {
            b"filled" => Ok(true),
            b"superseded" => Ok(false),
            _ => Err(unknown_answer(&self.keys.building)),
        }
    }

    /// Compares all that is shown of some circles with what the log says of them
    /// up to the checkpoint of `expected`, if the standing is still that. Where
    /// `mode` says so, replaces what differs, and watches are told of it.
    ///
    /// # Errors
    ///
    /// As [`Partition::apply`].
    pub async fn repair(
        &self,
        expected: &Standing,
        repairs: &[Repair],
        mode: RepairMode,
    ) -> Result<Repaired, Error> {
        let mut keys = self.fixed_keys();
        let sequence = expected.checkpoint.sequence;
        let mut arguments: Vec<Value> = marks(Some(expected)).into();
        arguments.push(text(sequence));
        arguments.extend(self.announcement(sequence));
        arguments.push(Value::from_static_str(mode.as_str()));
        arguments.push(count_of(repairs.len()));
        for repair in repairs {
            keys.push(self.keys.document(repair.id).into());
            keys.push(self.keys.history(repair.id).into());
            arguments.extend(shown(repair));
            arguments.push(repair.version.map_or_else(none, text));
            arguments.push(parked(repair));
            push_history(&mut arguments, &repair.history);
        }
        let answer = self
            .scripts
            .repair
            .call(&self.connection, keys, arguments)
            .await?;
        match (kind(&answer), answer.get(1).and_then(Option::as_deref)) {
            (b"repaired", Some(revision)) => Ok(Repaired::Done {
                standing: Standing {
                    revision: number(&self.keys.revision, revision)?,
                    ..*expected
                },
                changed: numbered(&answer[2..], repairs)
                    .map(|repair| repair.id)
                    .collect(),
            }),
            (b"superseded", _) => Ok(Repaired::Superseded),
            _ => Err(unknown_answer(&self.keys.revision)),
        }
    }

    /// Takes the partition back to `common`, an event that the log still has,
    /// if the standing is still `expected`; none where it is another one. The
    /// circles of the events that are lost are parked until they are repaired.
    ///
    /// # Errors
    ///
    /// As [`Partition::apply`].
    pub async fn rewind(
        &self,
        expected: &Standing,
        common: Checkpoint,
        lost: &[Parked],
    ) -> Result<Option<Standing>, Error> {
        let keys: Vec<Key> = [
            &self.keys.checkpoint,
            &self.keys.building,
            &self.keys.revision,
            &self.keys.changes,
            &self.keys.rewound,
            &self.keys.parked,
            &self.keys.parked_count,
        ]
        .map(Key::from)
        .into();
        let next = Standing {
            checkpoint: common,
            ..*expected
        };
        let mut arguments: Vec<Value> = marks(Some(expected)).into();
        let [checkpoint, building, _] = marks(Some(&next));
        arguments.extend([checkpoint, building]);
        arguments.push(text(common.sequence));
        arguments.push(text(expected.checkpoint.sequence));
        arguments.extend(self.announcement(common.sequence));
        for Parked { circle_id, event } in lost {
            arguments.push(text(circle_id));
            arguments.push(event.encode().into());
        }
        let answer = self
            .scripts
            .rewind
            .call(&self.connection, keys, arguments)
            .await?;
        match (kind(&answer), answer.get(1).and_then(Option::as_deref)) {
            (b"rewound", Some(revision)) => Ok(Some(Standing {
                revision: number(&self.keys.revision, revision)?,
                ..next
            })),
            (b"superseded", _) => Ok(None),
            _ => Err(unknown_answer(&self.keys.revision)),
        }
    }

    /// Those that apply.lua and repair.lua share.
    fn fixed_keys(&self) -> Vec<Key> {
        [
            &self.keys.checkpoint,
            &self.keys.building,
            &self.keys.revision,
            &self.keys.by_name,
            &self.keys.by_capacity,
            &self.keys.by_create_time,
            &self.keys.changes,
            &self.keys.changes_floor,
            &self.keys.parked,
            &self.keys.parked_count,
        ]
        .map(Key::from)
        .into()
    }

    /// Channel and message.
    pub(crate) fn announcement(&self, sequence: Sequence) -> [Value; 2] {
        let channel = if self.announces { keys::APPLIED } else { "" };
        [channel.into(), format!("{} {sequence}", self.index).into()]
    }
}

/// What `circles:building` begins with while remains are removed.
pub(crate) const WIPING: &str = "wiping:";
