//! Who a caller is, and what the issuer lets them do.

use std::future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time;
use tonic::{Code, Extensions, Status};

use crate::status::Domain;

/// How long a wait for an expiry sleeps at a time.
const MOMENT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(60);

/// The caller, as a token that was verified tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is, in the words of the issuer: 1 to 255 bytes without control characters.
    pub subject: String,
    /// What they may do.
    pub(crate) scopes: Scopes,
    /// From when on the token is refused. What goes on for longer, such as a stream, has to end then.
    pub expires: SystemTime,
}

impl Identity {
    /// That of the call with these extensions; none where nobody is asked for a token.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<&Arc<Self>> {
        extensions.get()
    }

    /// Resolves when the token is no longer good.
    pub async fn expired(&self) {
        while let Ok(left) = self.expires.duration_since(SystemTime::now()) {
            // At most: the clock can be set meanwhile, and a timer has its own.
            time::sleep(left.clamp(MOMENT, LONG)).await;
        }
    }

    /// Whether the caller may do what needs this scope.
    ///
    /// # Errors
    /// Which scope is missing.
    pub(crate) fn require(&self, scope: Scope) -> Result<(), MissingScope> {
        if self.scopes.contains(scope) {
            Ok(())
        } else {
            Err(MissingScope(scope))
        }
    }
}

/// Resolves when this caller's token is no longer good: never where nobody is asked for one.
pub async fn expired(identity: Option<Arc<Identity>>) {
    match identity {
        Some(identity) => identity.expired().await,
        None => future::pending().await,
    }
}

/// A right that an issuer can grant. The service defines which there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope(&'static str);

impl Scope {
    /// Names a scope, such as `circles.read`.
    ///
    /// # Panics
    /// Where the name is empty or has a space, which separates scopes. Of a constant the compiler finds that out.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(!bytes.is_empty(), "a scope has a name");
        let mut at = 0;
        while at < bytes.len() {
            assert!(bytes[at] != b' ', "a space separates scopes");
            at += 1;
        }
        Self(name)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// The scopes of a token, those of other services among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scopes(Box<str>);

impl Scopes {
    /// Those of a text in which spaces separate them.
    #[must_use]
    pub(crate) fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Whether this one is among them. Names are compared as they are, and none includes another one.
    #[must_use]
    pub(crate) fn contains(&self, scope: Scope) -> bool {
        self.0.split(' ').any(|name| name == scope.0)
    }
}

/// The caller is known, but may not do this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token does not grant {}", .0.as_str())]
pub(crate) struct MissingScope(pub(crate) Scope);

impl MissingScope {
    /// PERMISSION_DENIED, reason `SCOPE_MISSING`, with the scope that is needed in the metadata.
    #[must_use]
    pub(crate) fn status(self, domain: Domain) -> Status {
        domain
            .failure(Code::PermissionDenied, "SCOPE_MISSING", self.to_string())
            .metadata("scope", self.0.as_str())
            .build()
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    const READ: Scope = Scope::new("circles.read");
    const WRITE: Scope = Scope::new("circles.write");

    #[test]
    fn a_scope_is_a_whole_word() {
        assert!(Scopes::new("circles.read").contains(READ));
        assert!(Scopes::new("openid circles.write circles.read").contains(READ));
        for text in [
            "",
            " ",
            "circles",
            "circles.reader",
            "my.circles.read",
            "Circles.Read",
            "circles.read,circles.write",
            "circles.read\tcircles.write",
            "circles.write",
        ] {
            assert!(!Scopes::new(text).contains(READ), "{text}");
        }
    }

    #[test]
    fn a_missing_scope_is_told() {
        let identity = Identity {
            subject: "alice".to_owned(),
            scopes: Scopes::new("circles.read"),
            expires: SystemTime::UNIX_EPOCH,
        };
        assert_eq!(identity.require(READ), Ok(()));
        let missing = identity.require(WRITE).unwrap_err();
        assert_eq!(missing, MissingScope(WRITE));

        let status = missing.status(Domain::new("test.v1"));
        assert_eq!(status.code(), Code::PermissionDenied);
        assert_eq!(status.message(), "the token does not grant circles.write");
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.reason, "SCOPE_MISSING");
        assert_eq!(info.metadata["scope"], "circles.write");
    }
}
