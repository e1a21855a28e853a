//! A place in the log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in the log of all circles: 1 for its first event, one more for
/// every event after it, in the order of their commits. Serialized as a
/// number.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Sequence(u64);

impl Sequence {
    /// The place before the first event.
    pub const ZERO: Self = Self(0);

    /// Takes a place; every number is one.
    #[must_use]
    pub const fn new(place: u64) -> Self {
        Self(place)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The place after this one. The largest number stays where it is; a
    /// million events per second would take 500,000 years to get there.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}
