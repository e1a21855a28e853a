//! The reason of a deletion.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::text::{Fault, normalize, serde_as_text};

/// Why a circle was deleted: 1 to 500 characters, trimmed, in Unicode
/// normalization form C, without control characters.
///
/// A deletion without a reason has none, not an empty one. Cheap to clone, as
/// a name is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeletionReason(Arc<str>);

impl DeletionReason {
    /// The most characters (Unicode scalar values) that a reason has.
    pub const MAX_CHARACTERS: usize = 500;

    /// Trims and normalizes `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidReason`] with the rule that the trimmed, normalized text
    /// breaks.
    pub fn new(text: &str) -> Result<Self, InvalidReason> {
        Ok(Self(normalize(text, Self::MAX_CHARACTERS)?))
    }

    /// The normalized text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeletionReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl FromStr for DeletionReason {
    type Err = InvalidReason;

    fn from_str(text: &str) -> Result<Self, InvalidReason> {
        Self::new(text)
    }
}

serde_as_text!(
    DeletionReason,
    DeletionReason::new,
    "the reason of a deletion"
);

/// The text is no reason for a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidReason {
    /// Nothing is left once the text is trimmed.
    #[error("a reason must not be empty or only white space")]
    Empty,
    /// It is too long, counted once trimmed and normalized.
    #[error("a reason has at most {max} characters, this one has {characters}")]
    TooLong {
        /// How many characters it has.
        characters: usize,
        /// How many it may have.
        max: usize,
    },
    /// It holds a control character, such as a line break or a tab.
    #[error("a reason must not contain control characters")]
    ControlCharacter,
}

impl From<Fault> for InvalidReason {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Empty => Self::Empty,
            Fault::TooLong { characters } => Self::TooLong {
                characters,
                max: DeletionReason::MAX_CHARACTERS,
            },
            Fault::ControlCharacter => Self::ControlCharacter,
        }
    }
}
