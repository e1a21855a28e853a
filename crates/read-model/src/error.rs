//! What can go wrong, as facts.

use std::fmt;

use fred::error::ErrorKind;
use shared_domain::{CircleId, Sequence};

/// Why a read or a write of the read model failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// Redis did not answer in time, can't be reached, or can't do the work
    /// now (it loads its data, is a replica, is out of memory, has too many
    /// clients). Whether a write was done is unknown. Trying again later can succeed.
    #[error("Redis can't be reached or can't serve now")]
    Unreachable(#[source] fred::error::Error),
    /// The checkpoint is absent: the read model is being built, or no projector
    /// has begun to, or Redis lost it. Trying again later can succeed.
    #[error("the read model is not built")]
    NotBuilt,
    /// The circle can't be told of: the log has an event of it that the read
    /// model can't take in. Only a repair helps.
    #[error("the circle {id} is parked by its event {sequence}")]
    Parked {
        /// The circle.
        id: CircleId,
        /// The event.
        sequence: Sequence,
    },
    /// What is stored breaks the contract. Only a repair helps.
    #[error("the key {key} is corrupt")]
    Corrupt {
        /// The key.
        key: String,
        /// What is wrong with it.
        #[source]
        corruption: Corruption,
    },
    /// Redis refuses what this crate needs: credentials, permissions, a
    /// command that it does not know. Only a change of the set-up helps.
    #[error("Redis is not set up for this")]
    Refused(#[source] fred::error::Error),
    /// The position belongs to a list in another order.
    #[error("the position belongs to a list in another order")]
    ForeignPosition,
}

impl Error {
    /// Whether the same call can succeed later without anyone's help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::NotBuilt)
    }

    /// What `key` holds can't be read.
    pub(crate) fn unreadable(key: &str, why: impl fmt::Display) -> Self {
        Self::Corrupt {
            key: key.to_owned(),
            corruption: Corruption::Unreadable(why.to_string()),
        }
    }

    /// Sorts a failed command; `keys` tells which keys it used, for the case
    /// that one of them has another type than it should.
    pub(crate) fn of_command(error: fred::error::Error, keys: &str) -> Self {
        match error.kind() {
            ErrorKind::Auth
            | ErrorKind::Config
            | ErrorKind::InvalidCommand
            | ErrorKind::Url
            | ErrorKind::Sentinel => return Self::Refused(error),
            ErrorKind::Parse => return Self::unreadable(keys, error),
            _ => {}
        }
        match reply_code(error.details()) {
            "WRONGTYPE" => Self::Corrupt {
                key: keys.to_owned(),
                corruption: Corruption::WrongType,
            },
            // There is room again once others leave; no code says so.
            "ERR" if error.details().starts_with("ERR max number of clients") => {
                Self::Unreachable(error)
            }
            // The client's own errors and every reply that passes by itself
            // (LOADING, READONLY, MASTERDOWN, OOM, BUSY, MISCONF, ...) have no
            // code that says otherwise.
            "ERR" | "NOPERM" | "NOAUTH" | "WRONGPASS" | "NOSCRIPT" | "NOPROTO" => {
                Self::Refused(error)
            }
            _ => Self::Unreachable(error),
        }
    }
}

/// The code of an error reply, its first word. Before version 7 a script hides
/// the code of the command that failed in it: `ERR Error running script (call
/// to f_..): @user_script:9: -OOM command not allowed ..`.
fn reply_code(details: &str) -> &str {
    let mut words = details.split_whitespace();
    let code = words.next().unwrap_or_default();
    if !details.starts_with("ERR Error running script") {
        return code;
    }
    words
        .map(|word| word.trim_start_matches('-'))
        .find(|word| word.bytes().all(|byte| byte.is_ascii_uppercase()))
        .unwrap_or(code)
}

/// How a key breaks the contract.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Corruption {
    /// The value is not of the described form.
    #[error("{0}")]
    Unreadable(String),
    /// The key holds another type of value.
    #[error("it holds another type of value")]
    WrongType,
    /// The document is that of another circle.
    #[error("it holds the document of circle {id}")]
    OtherCircle {
        /// The circle that the document names.
        id: CircleId,
    },
    /// An index does not list a circle whose document exists.
    #[error("it does not list the circle {id}")]
    NotListed {
        /// The circle.
        id: CircleId,
    },
    /// The checkpoint is of an event without an id, or of none with an id.
    #[error("only the empty log's checkpoint has no event id")]
    EventIdMisplaced,
}

/// Why a connection can't be set up, or should not be used as it is.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SetupError {
    /// The URL is not one that this crate can use.
    #[error("the Redis URL is unusable: {reason}")]
    Url {
        /// What is wrong with it; never a part of the URL itself.
        reason: String,
    },
    /// Another setting makes no sense.
    #[error("the Redis setting {setting} must not be zero")]
    Zero {
        /// The field of [`Config`](crate::Config).
        setting: &'static str,
    },
    /// Redis may drop keys when its memory is full, which would silently lose
    /// circles.
    #[error("Redis has the maxmemory-policy {found}; the read model needs noeviction")]
    EvictionPolicy {
        /// The policy that is set.
        found: String,
    },
    /// The check itself failed.
    #[error(transparent)]
    Redis(#[from] Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(details: &'static str) -> Error {
        Error::of_command(fred::error::Error::new(ErrorKind::Unknown, details), "k")
    }

    #[test]
    fn replies_that_pass_by_themselves_are_transient() {
        for details in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down",
            "OOM command not allowed when used memory > 'maxmemory'. script: 0a, on @user_script:9.",
            "ERR Error running script (call to f_0a): @user_script:9: @user_script: 9: -OOM command not allowed",
            "ERR Error running script (call to f_0a): @user_script:9: -READONLY You can't write",
            "BUSY Redis is busy running a script",
            "MISCONF Redis is configured to save RDB snapshots",
            "ERR max number of clients reached",
            "ERR max number of clients + cluster connections reached",
        ] {
            assert!(
                matches!(sorted(details), Error::Unreachable(_)),
                "{details}"
            );
        }
        let timeout = fred::error::Error::new(ErrorKind::Timeout, "Request timed out.");
        assert!(Error::of_command(timeout, "k").is_transient());
    }

    #[test]
    fn replies_that_need_a_hand_are_not() {
        for details in [
            "NOPERM this user has no permissions to run the 'evalsha' command",
            "ERR unknown command 'EVALSHA'",
            "ERR Error running script (call to f_0a): @user_script:9: attempt to call a nil value",
        ] {
            assert!(matches!(sorted(details), Error::Refused(_)), "{details}");
        }
        for details in [
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "ERR Error running script (call to f_0a): @user_script:9: WRONGTYPE Operation",
        ] {
            let corruption = Corruption::WrongType;
            let key = "k".to_owned();
            assert_eq!(sorted(details), Error::Corrupt { key, corruption });
        }
    }
}
