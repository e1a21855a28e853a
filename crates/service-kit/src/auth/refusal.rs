//! Why a caller is not let in.

use tonic::{Code, Status};

use crate::status::Domain;

/// The rule that a call's token broke. The text of each is fixed and goes to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is none: no `authorization`, or one of another scheme.
    #[error("a bearer token is needed, in the metadata authorization")]
    Missing,
    /// It is longer than is read.
    #[error("the token is too long")]
    TooLong,
    /// It is no signed JWT, or `authorization` is there twice or is no text.
    #[error("the token is malformed")]
    Malformed,
    /// Its header has extensions (`crit`) that we don't know.
    #[error("the token needs extensions that are not supported")]
    Extensions,
    /// Its `typ` says that it is for something else, say a logout.
    #[error("the token is not an access token")]
    NotAccess,
    /// It is signed in a way that no key of ours is for, or not at all.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// None of our keys has its `kid` and is for its algorithm.
    #[error("the token's key is not known")]
    UnknownKey,
    /// Its signature is not of our key.
    #[error("the token's signature is wrong")]
    Signature,
    /// It is signed, but its claims can't be read: no JSON, another type than the RFC says, twice the same name.
    #[error("the token's claims are malformed")]
    Claims,
    /// It would be good for ever: there is no `exp`.
    #[error("the token has no expiry")]
    NoExpiry,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It is from somebody else, or does not say whom from.
    #[error("the token's issuer is not accepted")]
    WrongIssuer,
    /// It is for somebody else, or does not say whom for.
    #[error("the token is not for this service")]
    WrongAudience,
    /// There is no `sub`, or it is none that we would write down.
    #[error("the token's subject is missing or unusable")]
    Subject,
}

impl Refusal {
    /// What programs compare: no token, one that has to be renewed, or one that will never do.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "TOKEN_MISSING",
            Self::Expired => "TOKEN_EXPIRED",
            Self::TooLong
            | Self::Malformed
            | Self::Extensions
            | Self::NotAccess
            | Self::Algorithm
            | Self::UnknownKey
            | Self::Signature
            | Self::Claims
            | Self::NoExpiry
            | Self::NotYetValid
            | Self::WrongIssuer
            | Self::WrongAudience
            | Self::Subject => "TOKEN_INVALID",
        }
    }

    /// UNAUTHENTICATED with that reason.
    #[must_use]
    pub fn status(self, domain: Domain) -> Status {
        domain
            .failure(Code::Unauthenticated, self.reason(), self.to_string())
            .build()
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn a_status_has_a_reason_and_a_fixed_text() {
        for (refusal, reason, message) in [
            (
                Refusal::Missing,
                "TOKEN_MISSING",
                "a bearer token is needed, in the metadata authorization",
            ),
            (Refusal::Expired, "TOKEN_EXPIRED", "the token has expired"),
            (
                Refusal::Signature,
                "TOKEN_INVALID",
                "the token's signature is wrong",
            ),
        ] {
            let status = refusal.status(Domain::new("test.v1"));
            assert_eq!(
                (status.code(), status.message()),
                (Code::Unauthenticated, message)
            );
            let info = status.get_details_error_info().unwrap();
            assert_eq!(
                (info.reason.as_str(), info.domain.as_str()),
                (reason, "test.v1")
            );
        }
    }
}
