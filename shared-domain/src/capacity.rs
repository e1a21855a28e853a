//! How many members a circle can take.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How many members a circle can take: 3 to 32,767. Serialized as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Capacity(i16);

impl Capacity {
    /// The smallest capacity.
    pub const MIN: Self = Self(3);

    /// The largest capacity.
    pub const MAX: Self = Self(i16::MAX);

    /// Takes a number of members.
    ///
    /// # Errors
    ///
    /// [`InvalidCapacity`] outside of [`Capacity::MIN`] to [`Capacity::MAX`].
    pub fn new(members: i64) -> Result<Self, InvalidCapacity> {
        match i16::try_from(members) {
            Ok(members) if members >= Self::MIN.0 => Ok(Self(members)),
            _ => Err(InvalidCapacity { given: members }),
        }
    }

    /// The number of members.
    #[must_use]
    pub const fn get(self) -> i16 {
        self.0
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl TryFrom<i64> for Capacity {
    type Error = InvalidCapacity;

    fn try_from(members: i64) -> Result<Self, InvalidCapacity> {
        Self::new(members)
    }
}

impl From<Capacity> for i64 {
    fn from(capacity: Capacity) -> Self {
        Self::from(capacity.0)
    }
}

/// The number is no capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a capacity is a whole number from {} to {}, not {given}",
    Capacity::MIN,
    Capacity::MAX
)]
pub struct InvalidCapacity {
    /// The number that was refused.
    pub given: i64,
}
