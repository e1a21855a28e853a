//! The version of a circle.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How many events a circle has: 1 for its creation, and one more for every
/// event after it, with no hole. Serialized as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Version(i32);

impl Version {
    /// The version that the creation makes.
    pub const FIRST: Self = Self(1);

    /// Takes a number of events.
    ///
    /// # Errors
    ///
    /// [`InvalidVersion`] outside of 1 to 2,147,483,647, the largest number
    /// that the log's column holds.
    pub fn new(events: i64) -> Result<Self, InvalidVersion> {
        match i32::try_from(events) {
            Ok(events) if events >= Self::FIRST.0 => Ok(Self(events)),
            _ => Err(InvalidVersion { given: events }),
        }
    }

    /// The number of events.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }

    /// The version that the next event makes; none after the largest one.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl TryFrom<i64> for Version {
    type Error = InvalidVersion;

    fn try_from(events: i64) -> Result<Self, InvalidVersion> {
        Self::new(events)
    }
}

impl From<Version> for i64 {
    fn from(version: Version) -> Self {
        Self::from(version.0)
    }
}

/// The number is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a version is a whole number from 1 to {}, not {given}", i32::MAX)]
pub struct InvalidVersion {
    /// The number that was refused.
    pub given: i64,
}
