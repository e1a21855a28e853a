//! The name of a circle.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::text::{Fault, normalize, serde_as_text};

/// The name of a circle: 1 to 100 characters, trimmed, in Unicode
/// normalization form C, without control characters.
///
/// Names order by Unicode code points. The text is shared: the state, its
/// events and their copies all point at one allocation, and a clone costs a
/// counter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CircleName(Arc<str>);

impl CircleName {
    /// The most characters (Unicode scalar values) that a name has.
    pub const MAX_CHARACTERS: usize = 100;

    /// Trims and normalizes `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] with the rule that the trimmed, normalized text breaks.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        Ok(Self(normalize(text, Self::MAX_CHARACTERS)?))
    }

    /// The normalized text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CircleName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl FromStr for CircleName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

serde_as_text!(CircleName, CircleName::new, "the name of a circle");

/// The text is no name for a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidName {
    /// Nothing is left once the text is trimmed.
    #[error("a name must not be empty or only white space")]
    Empty,
    /// It is too long, counted once trimmed and normalized.
    #[error("a name has at most {max} characters, this one has {characters}")]
    TooLong {
        /// How many characters it has.
        characters: usize,
        /// How many it may have.
        max: usize,
    },
    /// It holds a control character, such as a line break or a tab.
    #[error("a name must not contain control characters")]
    ControlCharacter,
}

impl From<Fault> for InvalidName {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Empty => Self::Empty,
            Fault::TooLong { characters } => Self::TooLong {
                characters,
                max: CircleName::MAX_CHARACTERS,
            },
            Fault::ControlCharacter => Self::ControlCharacter,
        }
    }
}
