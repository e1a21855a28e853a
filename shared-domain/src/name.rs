//! The name of a circle.

use std::fmt;
use std::sync::Arc;

use crate::text::{InvalidText, normalize, serde_as_text};

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
    /// [`InvalidText`] with the rule that the trimmed, normalized text breaks.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        Ok(Self(normalize(text, "name", Self::MAX_CHARACTERS)?))
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

serde_as_text!(CircleName, CircleName::new, "the name of a circle");
