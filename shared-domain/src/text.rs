//! What the text types have in common: normal form, length, and serde.

use std::borrow::Cow;
use std::sync::Arc;

use thiserror::Error;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// A text that can't be what it is meant for, such as a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidText {
    /// Nothing is left once the text is trimmed.
    #[error("a {what} must not be empty or only white space")]
    Empty {
        /// What it is meant for.
        what: &'static str,
    },
    /// It is too long, counted once trimmed and normalized.
    #[error("a {what} has at most {max} characters, this one has {characters}")]
    TooLong {
        /// What it is meant for.
        what: &'static str,
        /// How many characters it has.
        characters: usize,
        /// How many it may have.
        max: usize,
    },
    /// It holds a control character, such as a line break or a tab.
    #[error("a {what} must not contain control characters")]
    ControlCharacter {
        /// What it is meant for.
        what: &'static str,
    },
}

/// Brings a text to Unicode normalization form C without surrounding white
/// space, and refuses what is then empty, longer than `max` characters, or
/// holds a control character.
///
/// Normalizing comes first: a part of a text in form C is in form C too, so
/// the outcome is both trimmed and normal, and normalizing it again changes
/// nothing.
pub(crate) fn normalize(
    text: &str,
    what: &'static str,
    max: usize,
) -> Result<Arc<str>, InvalidText> {
    let normal = match is_nfc_quick(text.chars()) {
        // As almost all that is read back from where it was stored.
        IsNormalized::Yes => Cow::Borrowed(text),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(text.nfc().collect()),
    };
    let trimmed = normal.trim();
    if trimmed.is_empty() {
        return Err(InvalidText::Empty { what });
    }
    let characters = trimmed.chars().count();
    if characters > max {
        return Err(InvalidText::TooLong {
            what,
            characters,
            max,
        });
    }
    if trimmed.chars().any(char::is_control) {
        return Err(InvalidText::ControlCharacter { what });
    }
    Ok(Arc::from(trimmed))
}

/// Writes a type as its `Display` text and reads it through its own parser, so
/// that no deserialized value escapes the rules.
macro_rules! serde_as_text {
    ($type:ident, $parse:expr, $expecting:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;

                    fn expecting(
                        &self,
                        formatter: &mut std::fmt::Formatter<'_>,
                    ) -> std::fmt::Result {
                        formatter.write_str($expecting)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        $parse(text).map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }
    };
}
pub(crate) use serde_as_text;
