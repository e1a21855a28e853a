//! What a token says, once it is known who signed it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::identity::{Identity, Scopes};
use super::refusal::Refusal;

/// By how much the clocks of the issuer and ours may differ.
pub(super) const LEEWAY: Duration = Duration::from_secs(30);

/// What an issuer may name a caller with (OpenID Connect Core, 2). It goes into the log of events.
const MAX_SUBJECT: usize = 255;

/// The claims that we heed (RFC 7519, 4.1; RFC 9068, 2.2). Numbers of seconds may have fractions.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Texts>,
    exp: Option<f64>,
    nbf: Option<f64>,
    scope: Option<Texts>,
    /// The same under the name that Microsoft and Okta use.
    scp: Option<Texts>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

/// What the claims must say besides.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
}

impl Expected {
    /// Whom the claims are about, if they hold at this time.
    pub(super) fn identity(&self, claims: Claims, now: SystemTime) -> Result<Identity, Refusal> {
        let expires = time(claims.exp.ok_or(Refusal::NoExpiry)?)?
            .checked_add(LEEWAY)
            .ok_or(Refusal::Claims)?;
        in_time(now, expires)?;
        if let Some(not_before) = claims.nbf
            && time(not_before)?
                .checked_sub(LEEWAY)
                .is_some_and(|from| now < from)
        {
            return Err(Refusal::NotYetValid);
        }
        if self.issuer.is_some() && self.issuer != claims.iss {
            return Err(Refusal::WrongIssuer);
        }
        if let Some(audience) = &self.audience
            && !claims
                .aud
                .is_some_and(|named| named.as_slice().contains(audience))
        {
            return Err(Refusal::WrongAudience);
        }
        let subject = claims
            .sub
            .filter(|it| is_subject(it))
            .ok_or(Refusal::Subject)?;
        let scopes = claims.scope.or(claims.scp);
        Ok(Identity {
            subject,
            scopes: scopes.map_or_else(Scopes::default, |it| Scopes::new(it.as_slice().join(" "))),
            expires,
        })
    }
}

/// Whether a token that is refused from `expires` on is still good.
pub(super) fn in_time(now: SystemTime, expires: SystemTime) -> Result<(), Refusal> {
    if now < expires {
        Ok(())
    } else {
        Err(Refusal::Expired)
    }
}

impl Texts {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// What a `NumericDate` says. One that no clock will ever show is no date.
fn time(seconds: f64) -> Result<SystemTime, Refusal> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .and_then(|since| UNIX_EPOCH.checked_add(since))
        .ok_or(Refusal::Claims)
}

fn is_subject(text: &str) -> bool {
    (1..=MAX_SUBJECT).contains(&text.len()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
