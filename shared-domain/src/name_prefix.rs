//! The beginning of a name, to find circles by.

use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;

use crate::CircleName;

/// The beginning of a [`CircleName`]: up to 100 characters, in Unicode
/// normalization form C as names are, without control characters. An empty one
/// begins every name.
///
/// White space is kept: "tea " is the beginning of fewer names than "tea".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamePrefix(String);

impl NamePrefix {
    /// Normalizes `text`.
    ///
    /// # Errors
    ///
    /// [`InvalidNamePrefix`] with the rule that it breaks; no name begins like
    /// that.
    pub fn new(text: &str) -> Result<Self, InvalidNamePrefix> {
        let normal: String = text.nfc().collect();
        let characters = normal.chars().count();
        if characters > CircleName::MAX_CHARACTERS {
            return Err(InvalidNamePrefix::TooLong { characters });
        }
        if normal.chars().any(char::is_control) {
            return Err(InvalidNamePrefix::ControlCharacter);
        }
        Ok(Self(normal))
    }

    /// The normalized text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not the beginning of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidNamePrefix {
    /// It is longer than a name can be.
    #[error(
        "a name has at most {} characters, this has {characters}",
        CircleName::MAX_CHARACTERS
    )]
    TooLong {
        /// How many characters it has.
        characters: usize,
    },
    /// It holds a control character, which no name does.
    #[error("a name does not contain control characters")]
    ControlCharacter,
}
