//! New read models in a spare logical database, and the switch to them.

use std::collections::BTreeSet;

use fred::bytes::Bytes;
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::{ClusterHash, CustomCommand, Key, Value};
use shared_domain::CircleId;

use crate::answer::{kind, unknown_answer};
use crate::arguments::{marks, text};
use crate::change::ChangePosition;
use crate::connection::Connection;
use crate::error::{Error, SetupError};
use crate::projection::Partition;
use crate::script::Script;
use crate::standing::Standing;

/// How many changes are looked at, or told, at once: Redis does nothing else meanwhile.
const PAGE: u32 = 100;

/// Why no read models can be built beside the others.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SpareError {
    /// A Redis Cluster has one logical database only.
    #[error("a Redis Cluster has no spare database")]
    Cluster,
    /// The spare database is the one that is in use.
    #[error("the spare database {0} is the one in use")]
    InUse(u8),
    /// The spare database holds keys that are not remains of a rebuild.
    #[error("the spare database {0} holds something else")]
    NotEmpty(u8),
    /// The settings of the connection are unusable.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Redis failed.
    #[error(transparent)]
    Redis(#[from] Error),
}

/// Opens a connection to the spare database `number` of the same Redis, if that
/// holds nothing but what an interrupted rebuild may have left.
///
/// # Errors
///
/// [`SpareError`].
pub async fn open_spare(live: &Connection, number: u8) -> Result<Connection, SpareError> {
    let config = live.config();
    if config.is_cluster() {
        return Err(SpareError::Cluster);
    }
    if live.database()? == number {
        return Err(SpareError::InUse(number));
    }
    let mut config = config.clone();
    config.database = Some(number);
    let spare = Connection::open(&config)?;
    spare.connected().await?;
    let keys = spare
        .keys()
        .first()
        .ok_or(SpareError::NotEmpty(number))?
        .clone();
    let size: Result<Value, _> = custom(&spare, "DBSIZE", Vec::new()).await;
    if size.map_err(|error| spare.explain(error, ""))?.as_u64() == Some(0) {
        return Ok(spare);
    }
    let remains: Result<Vec<Option<Bytes>>, _> = spare
        .client()
        .mget(vec![
            Key::from(keys.building.as_str()),
            Key::from(keys.replaced.as_str()),
            Key::from(keys.lease.as_str()),
        ])
        .await;
    let remains = remains.map_err(|error| spare.explain(error, ""))?;
    match remains.as_slice() {
        [Some(_), _, None] | [_, Some(_), _] => Ok(spare),
        _ => Err(SpareError::NotEmpty(number)),
    }
}

/// Puts the read models of the spare database in the place of those in use, in
/// one step, and the other way round, if those have the standings `old` and the
/// new ones `new`, of each partition. Both must be complete. Answers whether it
/// was done; otherwise all is as it was.
///
/// # Errors
///
/// [`SpareError::Redis`]; after [`Error::Unreachable`] it is not known whether it
/// was done.
pub async fn switch(
    live: &Connection,
    spare: &Connection,
    old: &[Standing],
    new: &[Standing],
) -> Result<bool, SpareError> {
    let databases = [live.database()?, spare.database()?].map(text);
    let mut keys: Vec<Key> = Vec::new();
    for of in live.keys() {
        let keys_of = [&of.checkpoint, &of.building, &of.revision, &of.replaced];
        keys.extend(keys_of.map(Key::from));
    }
    let mut arguments: Vec<Value> = databases.into();
    arguments.extend(old.iter().chain(new).flat_map(|at| marks(Some(at))));
    let script = Script::new(include_str!("switch.lua"), "circles:*");
    let answer = script.call(live, keys, arguments).await?;
    match kind(&answer) {
        b"switched" => Ok(true),
        b"superseded" => Ok(false),
        _ => Err(unknown_answer("circles:replaced").into()),
    }
}

async fn custom(
    connection: &Connection,
    command: &'static str,
    arguments: Vec<Value>,
) -> Result<Value, fred::error::Error> {
    let command = CustomCommand::new_static(command, ClusterHash::FirstKey, false);
    connection.client().custom(command, arguments).await
}

impl Partition {
    /// Takes over from the partition in use what cannot be built from the log:
    /// what the log lost, and a revision that no one else has. From now on the
    /// partition may be wiped until it is in use itself.
    ///
    /// # Errors
    ///
    /// [`Error`], but for [`Error::NotBuilt`].
    pub async fn succeed(&self, live: &Self, standing: &Standing) -> Result<(), Error> {
        let rewound: Result<Option<Bytes>, _> = live
            .connection
            .client()
            .get(live.keys.rewound.as_str())
            .await;
        let rewound = rewound.map_err(|error| live.connection.explain(error, ""))?;
        let revision = standing.revision.saturating_add(1).to_string();
        let mut values = vec![
            (self.keys.replaced.as_str(), Value::from("1")),
            (self.keys.revision.as_str(), Value::from(revision)),
        ];
        match rewound {
            Some(rewound) => values.push((self.keys.rewound.as_str(), rewound.into())),
            None => {
                let client = self.connection.client();
                let removed: Result<Value, _> = client.del(self.keys.rewound.as_str()).await;
                removed.map_err(|error| self.connection.explain(error, &self.keys.rewound))?;
            }
        }
        for (key, value) in values {
            let set: Result<Value, _> = self
                .connection
                .client()
                .set(key, value, None, None, false)
                .await;
            set.map_err(|error| self.connection.explain(error, key))?;
        }
        Ok(())
    }

    /// The circles that corrections among the changes are about, and the place
    /// of the last change.
    ///
    /// # Errors
    ///
    /// As [`Partition::succeed`].
    pub async fn corrections(&self) -> Result<(ChangePosition, BTreeSet<CircleId>), Error> {
        let mut place = ChangePosition::default();
        let mut circles = BTreeSet::new();
        loop {
            let page = self.changes_after(place, PAGE).await?;
            for entry in &page.entries {
                place = entry.position;
                if entry.kind.is_none() {
                    circles.insert(entry.circle_id);
                }
            }
            if page.entries.len() < PAGE as usize {
                return Ok((place, circles));
            }
        }
    }

    /// Tells watches how these circles are shown, as a correction at the
    /// checkpoint of `standing`, and after the place `after` of the read models
    /// before.
    ///
    /// # Errors
    ///
    /// As [`Partition::succeed`].
    pub async fn correct(
        &self,
        standing: &Standing,
        after: ChangePosition,
        ids: &BTreeSet<CircleId>,
    ) -> Result<(), Error> {
        let sequence = standing.checkpoint.sequence;
        let mut number = match after.sequence == sequence {
            true => after.correction,
            false => 0,
        };
        let ids: Vec<CircleId> = ids.iter().copied().collect();
        for ids in ids.chunks(PAGE as usize) {
            let mut keys: Vec<Key> = vec![
                self.keys.checkpoint.as_str().into(),
                self.keys.changes.as_str().into(),
            ];
            let mut arguments = vec![text(sequence), text(number)];
            arguments.extend(self.announcement(sequence));
            for id in ids {
                keys.push(self.keys.document(*id).into());
                arguments.push(text(id));
                number += 1;
            }
            let answer = self
                .scripts
                .correct
                .call(&self.connection, keys, arguments)
                .await?;
            if answer.first().and_then(Option::as_deref) != Some(b"corrected") {
                return Err(unknown_answer(&self.keys.changes));
            }
        }
        Ok(())
    }
}
