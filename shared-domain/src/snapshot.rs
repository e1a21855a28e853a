//! How a folded circle is kept, to be spared its older events.
//!
//! A snapshot is never the only copy of anything: one in another schema is
//! passed over, and the circle folded from the log. So a change of the form
//! only raises [`SCHEMA`].

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{ActiveCircle, Capacity, Circle, CircleName, Version};

/// The schema that [`encode`] writes; it is stored beside the snapshot.
pub const SCHEMA: u32 = 1;

/// Writes a circle as a JSON object.
#[must_use]
pub fn encode(circle: &Circle) -> String {
    serde_json::to_string(&Stored::from(circle.clone()))
        .expect("strings and numbers under fixed keys always have a JSON form")
}

/// Reads a snapshot that was stored under `schema`.
///
/// # Errors
///
/// [`SnapshotError`]; the circle can then still be folded from the log.
pub fn decode(schema: u32, json: &str) -> Result<Circle, SnapshotError> {
    if schema != SCHEMA {
        return Err(SnapshotError::OtherSchema(schema));
    }
    let stored: Stored = serde_json::from_str(json)?;
    Ok(stored.into())
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case", deny_unknown_fields)]
enum Stored {
    // Braces, so that unknown fields are refused here too.
    Absent {},
    Active {
        name: CircleName,
        capacity: Capacity,
        version: Version,
    },
    Deleted {
        version: Version,
    },
}

impl From<Circle> for Stored {
    fn from(circle: Circle) -> Self {
        match circle {
            Circle::Absent => Self::Absent {},
            Circle::Active(ActiveCircle {
                name,
                capacity,
                version,
            }) => Self::Active {
                name,
                capacity,
                version,
            },
            Circle::Deleted { version } => Self::Deleted { version },
        }
    }
}

impl From<Stored> for Circle {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Absent {} => Self::Absent,
            Stored::Active {
                name,
                capacity,
                version,
            } => Self::Active(ActiveCircle {
                name,
                capacity,
                version,
            }),
            Stored::Deleted { version } => Self::Deleted { version },
        }
    }
}

/// A snapshot that cannot be used.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// It was stored in another schema.
    #[error("the snapshot has schema {0}, this is schema {SCHEMA}")]
    OtherSchema(u32),
    /// It is no snapshot of a circle.
    #[error("the snapshot is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
}
