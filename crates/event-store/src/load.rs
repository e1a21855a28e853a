//! Loading a circle: its snapshot, and the events after it.

use std::sync::atomic::Ordering;

use shared_domain::{
    Circle, CircleId, ReplayError, Sequence, SnapshotError, Version, payload, snapshot,
};
use tokio_stream::StreamExt as _;

use crate::error::{Damage, StoreError};
use crate::store::{EventStore, LONG, in_time};

/// A circle as the log has it, and where its last event stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredCircle {
    /// The state; absent where the log has no event of it.
    pub circle: Circle,
    /// The sequence of its last event; zero where there is none.
    pub sequence: Sequence,
}

impl EventStore {
    /// Loads a circle as it is now.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; a missing, foreign or corrupt snapshot is none.
    pub async fn load(&self, id: CircleId) -> Result<StoredCircle, StoreError> {
        self.fold(id, None).await
    }

    /// Loads a circle as it was at a version.
    ///
    /// # Errors
    ///
    /// As [`EventStore::load`].
    pub async fn load_at(
        &self,
        id: CircleId,
        version: Version,
    ) -> Result<StoredCircle, StoreError> {
        self.fold(id, Some(version)).await
    }

    async fn fold(&self, id: CircleId, until: Option<Version>) -> Result<StoredCircle, StoreError> {
        let mut stored = self
            .snapshot(id)
            .await?
            .filter(|snapshot| until.is_none_or(|until| snapshot.circle.version() <= Some(until)))
            .unwrap_or_default();
        let query = sqlx::query_as::<_, FoldRow>(EVENTS_AFTER)
            .bind(id.to_string())
            .bind(stored.circle.version().map_or(0, Version::get))
            .bind(until.map_or(i32::MAX, Version::get));
        self.lend_for(LONG, async |connection| {
            // Row by row: a circle without a snapshot may have a long history.
            let mut rows = query.fetch(connection);
            while let Some(row) = in_time(rows.next()).await? {
                stored = row?.apply(id, stored)?;
            }
            Ok(stored)
        })
        .await
    }

    /// The circle's snapshot, if there is one that this program can use.
    async fn snapshot(&self, id: CircleId) -> Result<Option<StoredCircle>, StoreError> {
        let query = sqlx::query_as(SNAPSHOT).bind(id.to_string());
        let row: Option<SnapshotRow> = self
            .lend(async |connection| Ok(query.fetch_optional(connection).await?))
            .await?;
        let Some(row) = row else { return Ok(None) };
        match row.decode() {
            Ok(circle) => Ok(Some(circle)),
            Err(error) => {
                self.ignored_snapshots.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(circle_id = %id, %error, "snapshot ignored");
                Ok(None)
            }
        }
    }
}

/// Why a snapshot is no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error("its state is not of its version")]
    OtherVersion,
}

/// One of an event that the log does not have, as after a failover that lost it, is as good as none.
const SNAPSHOT: &str = "\
    SELECT snapshot.version, snapshot.sequence, snapshot.schema_version, CAST(snapshot.state AS CHAR) AS state \
    FROM circle_snapshots AS snapshot \
    JOIN circle_events AS event \
        ON event.circle_id = snapshot.circle_id AND event.version = snapshot.version \
        AND event.sequence = snapshot.sequence \
    WHERE snapshot.circle_id = ?";

const EVENTS_AFTER: &str = "\
    SELECT sequence, version, event_type, CAST(payload AS CHAR) AS payload \
    FROM circle_events WHERE circle_id = ? AND version > ? AND version <= ? ORDER BY version";

#[derive(sqlx::FromRow)]
pub(crate) struct SnapshotRow {
    pub(crate) version: i32,
    pub(crate) sequence: u64,
    pub(crate) schema_version: u32,
    pub(crate) state: String,
}

impl SnapshotRow {
    pub(crate) fn decode(self) -> Result<StoredCircle, Unusable> {
        let circle = snapshot::decode(self.schema_version, &self.state)?;
        if circle.version().map(Version::get) != Some(self.version) {
            return Err(Unusable::OtherVersion);
        }
        Ok(StoredCircle {
            circle,
            sequence: Sequence::new(self.sequence),
        })
    }
}

/// An event as far as folding needs it.
#[derive(sqlx::FromRow)]
pub(crate) struct FoldRow {
    pub(crate) sequence: u64,
    pub(crate) version: i32,
    pub(crate) event_type: String,
    pub(crate) payload: String,
}

impl FoldRow {
    pub(crate) fn sequence(&self) -> Sequence {
        Sequence::new(self.sequence)
    }

    /// Folds the event onto the state before it.
    pub(crate) fn apply(
        self,
        circle_id: CircleId,
        onto: StoredCircle,
    ) -> Result<StoredCircle, Damage> {
        let sequence = self.sequence();
        let found = Version::new(self.version.into()).map_err(|_| Damage::Column {
            sequence,
            column: "version",
        })?;
        let event = payload::decode(&self.event_type, &self.payload)
            .map_err(|cause| Damage::Payload { sequence, cause })?;
        let after = onto.circle.version();
        let circle = onto.circle.replay_onto([(found, &event)]);
        let circle = circle.map_err(|error| match error {
            ReplayError::OtherVersion { .. } => Damage::VersionHole {
                circle_id,
                after,
                found,
            },
            ReplayError::Misfit { misfit: cause, .. } => Damage::Misfit { sequence, cause },
        })?;
        Ok(StoredCircle { circle, sequence })
    }
}
