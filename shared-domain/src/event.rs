//! What can happen to a circle.

use crate::{Capacity, CircleName, DeletionReason};

/// Something that happened to a circle, and can never be undone, only followed
/// by another event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CircleEvent {
    /// The circle came to be. Always its first event.
    CircleCreated {
        /// Its name.
        name: CircleName,
        /// Its capacity.
        capacity: Capacity,
    },
    /// The circle changed. At least one field is set: [`decide`] makes no
    /// other update, and [`payload::decode`] refuses one.
    ///
    /// [`decide`]: crate::decide()
    /// [`payload::decode`]: crate::payload::decode
    CircleUpdated {
        /// The new name, if that changed.
        name: Option<CircleName>,
        /// The new capacity, if that changed.
        capacity: Option<Capacity>,
    },
    /// The circle is no more. Always its last event.
    CircleDeleted {
        /// Why, if that was said.
        reason: Option<DeletionReason>,
    },
}

impl CircleEvent {
    /// The name of the variant, which the log stores beside the payload.
    #[must_use]
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::CircleCreated { .. } => "CircleCreated",
            Self::CircleUpdated { .. } => "CircleUpdated",
            Self::CircleDeleted { .. } => "CircleDeleted",
        }
    }
}
