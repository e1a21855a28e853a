//! The reason of a deletion.

use std::fmt;
use std::sync::Arc;

use crate::text::{InvalidText, normalize, serde_as_text};

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
    /// [`InvalidText`] with the rule that the trimmed, normalized text
    /// breaks.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        Ok(Self(normalize(text, "reason", Self::MAX_CHARACTERS)?))
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

serde_as_text!(
    DeletionReason,
    DeletionReason::new,
    "the reason of a deletion"
);
