//! New read models in a spare logical database, and the switch to them.

use std::collections::BTreeSet;

use fred::bytes::Bytes;
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::{ClusterHash, CustomCommand, Key, Value};
use shared_domain::CircleId;

use crate::answer::unknown_answer;
use crate::arguments::text;
use crate::change::ChangePosition;
use crate::connection::Connection;
use crate::error::{Error, SetupError};
use crate::projection::Partition;
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
/// one step, and the other way round. Both must be complete.
///
/// # Errors
///
/// [`SpareError::Redis`]; after [`Error::Unreachable`] it is not known whether it
/// was done.
pub async fn switch(live: &Connection, spare: &Connection) -> Result<(), SpareError> {
    let (one, other) = (live.database()?, spare.database()?);
    // The mark travels with the old ones, which may then be wiped.
    for keys in live.keys() {
        let marked: Result<Value, _> = live
            .client()
            .set(keys.replaced.as_str(), "1", None, None, false)
            .await;
        marked.map_err(|error| live.explain(error, &keys.replaced))?;
    }
    let arguments: Vec<Value> = vec![i64::from(one).into(), i64::from(other).into()];
    let swapped: Result<Value, _> = custom(live, "SWAPDB", arguments).await;
    swapped
        .map(drop)
        .map_err(|error| live.explain(error, "").into())
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
    /// what the log lost, and a revision that no one else has.
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
        let mut values = vec![(self.keys.revision.as_str(), Value::from(revision))];
        if let Some(rewound) = rewound {
            values.push((self.keys.rewound.as_str(), rewound.into()));
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
