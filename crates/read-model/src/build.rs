//! The beginning of a new read model.

use std::fmt::Display;

use fred::bytes::Bytes;
use fred::types::{Key, Value};
use shared_domain::Sequence;

use crate::answer::unknown_answer;
use crate::arguments::{marks, none, text as bound};
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::keys;
use crate::projection::{Partition, WIPING};
use crate::standing::{Phase, Standing};

impl Partition {
    /// Removes what the partition holds and begins a new read model of it, at
    /// the beginning of the log; no query is answered from it until a batch
    /// completes it. Does nothing, and answers so, unless the standing is
    /// `expected`, where none means that nothing is built.
    ///
    /// It may be dropped at any point, or its process killed: nothing is built
    /// then, and the next call begins anew. Lease, holes, revision and what the
    /// log lost stay.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`].
    pub async fn begin(
        &self,
        expected: Option<&Standing>,
        holder: impl Display,
    ) -> Result<Option<Standing>, Error> {
        self.begin_where(expected, holder, None).await
    }

    /// The same, as the log lost more than the changes that are kept, so that
    /// nobody knows which circles are shown otherwise now. Watches that have been
    /// told of any event after `common`, and those that begin at one up to
    /// `until`, go back to `common`; where changes are kept from a later event
    /// on only, they end.
    ///
    /// # Errors
    ///
    /// As [`Partition::begin`].
    pub async fn begin_after_loss(
        &self,
        expected: &Standing,
        holder: impl Display,
        common: Sequence,
        until: Sequence,
    ) -> Result<Option<Standing>, Error> {
        self.begin_where(Some(expected), holder, Some((common, until)))
            .await
    }

    async fn begin_where(
        &self,
        expected: Option<&Standing>,
        holder: impl Display,
        lost: Option<(Sequence, Sequence)>,
    ) -> Result<Option<Standing>, Error> {
        let mark: Value = format!("{WIPING}{holder}").into();
        let mut begin = vec![mark.clone(), "begin".into()];
        match expected {
            Some(_) => begin.extend(marks(expected)),
            None => begin.extend(["unbuilt", "", ""].map(Value::from)),
        }
        begin.push(keys::LAYOUT.into());
        let (common, until) = lost.unzip();
        begin.extend([common, until].map(|event| event.map_or_else(none, bound)));
        if self.wipe(begin).await?.is_none() {
            return Ok(None);
        }
        let keys = &self.keys;
        let mut cursor = String::from("0");
        loop {
            let mut remove = vec![mark.clone(), "remove".into(), cursor.into()];
            remove.push(format!("{}circle*", keys.prefix).into());
            remove.push(keys.documents.as_str().into());
            remove.push(format!("{}circles:", keys.prefix).into());
            for kept in [
                &keys.building,
                &keys.revision,
                &keys.lease,
                &keys.holes,
                &keys.rewound,
            ] {
                remove.push(kept.as_str().into());
            }
            match self.wipe(remove).await? {
                None => return Ok(None),
                Some(next) if next == "0" => break,
                Some(next) => cursor = next,
            }
        }
        let end = vec![
            mark,
            "end".into(),
            Checkpoint::EMPTY.encode().into(),
            keys::LAYOUT.into(),
        ];
        if self.wipe(end).await?.is_none() {
            return Ok(None);
        }
        // Unless somebody was faster since.
        Ok(self
            .standing()
            .await?
            .filter(|standing| standing.phase == Phase::Building))
    }

    /// Calls the script; answers with its cursor, or nothing where it was
    /// superseded.
    async fn wipe(&self, arguments: Vec<Value>) -> Result<Option<String>, Error> {
        let keys: Vec<Key> = [
            &self.keys.checkpoint,
            &self.keys.building,
            &self.keys.revision,
            &self.keys.layout,
            &self.keys.rewound,
        ]
        .map(Key::from)
        .into();
        let answer = self
            .scripts
            .wipe
            .call(&self.connection, keys, arguments)
            .await?;
        let [kind, rest @ ..] = answer.as_slice() else {
            return Err(unknown_answer(&self.keys.building));
        };
        match (kind.as_deref(), rest.first().and_then(Option::as_ref)) {
            (Some(b"done"), Some(cursor)) => Ok(Some(text(cursor))),
            (Some(b"superseded"), _) => Ok(None),
            _ => Err(unknown_answer(&self.keys.building)),
        }
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
