//! The ids of circles and events.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use uuid::Uuid;

use crate::text::serde_as_text;

/// The text is not a UUID in its canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an id is a UUID in its canonical form: 36 characters, hyphenated, lower case")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Its text, shown and serialized, is the canonical form of 36
        /// characters, hyphenated and in lower case. No other form is read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID; every UUID is an id.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// Reads the canonical text.
            ///
            /// # Errors
            ///
            /// [`InvalidId`] for any other text, other spellings of a UUID
            /// included: one id has one spelling, so texts compare as ids do.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.0.as_hyphenated(), formatter)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        serde_as_text!($name, $name::parse, "a UUID in its canonical form");
    };
}

id! {
    /// Names one circle, for ever.
    CircleId
}

id! {
    /// Names one event; where a client chose a request id, it is that one.
    EventId
}

fn parse(text: &str) -> Result<Uuid, InvalidId> {
    // Of the spellings that the uuid crate knows, only the hyphenated one has
    // 36 characters.
    let canonical = text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if !canonical {
        return Err(InvalidId);
    }
    Uuid::try_parse(text).map_err(|_| InvalidId)
}
