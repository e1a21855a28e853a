//! A circle as its events made it.

use crate::{Capacity, CircleName, Version};

/// A circle as its events made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Circle {
    /// Nothing has happened yet.
    #[default]
    Absent,
    /// It lives.
    Active(ActiveCircle),
    /// It was deleted, and nothing can happen to it any more.
    Deleted {
        /// The version of its deletion.
        version: Version,
    },
}

/// A circle that lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ActiveCircle {
    /// Its present name.
    pub name: CircleName,
    /// Its present capacity.
    pub capacity: Capacity,
    /// The version of its latest event.
    pub version: Version,
}

impl Circle {
    /// The version of the latest event; none before the first one.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        match self {
            Self::Absent => None,
            Self::Active(circle) => Some(circle.version),
            Self::Deleted { version } => Some(*version),
        }
    }

    /// The version that the next event makes; none once they are used up.
    #[must_use]
    pub fn next_version(&self) -> Option<Version> {
        match self.version() {
            None => Some(Version::FIRST),
            Some(version) => version.next(),
        }
    }
}
