//! Verifies tokens, and remembers those that it has verified.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use quick_cache::sync::Cache;
use ring::digest::{SHA256, digest};
use tonic::codegen::http::HeaderMap;

use super::claims::{Claims, Expected, in_time};
use super::identity::Identity;
use super::keys::Keys;
use super::refusal::Refusal;
use super::token::{bearer, signed};

/// How many tokens are remembered. Only those that the issuer made get in, so nobody else can crowd them out.
const REMEMBERED: usize = 10_000;

/// Verifies the tokens of an issuer. Clones are cheap and share everything.
///
/// A signature takes 50 µs (RSA) to 180 µs (the curves), and clients send the same token for minutes; so what was
/// verified is remembered, which takes 2 µs. It is found by the SHA-256 of the token, which itself is not kept. What was
/// refused is not remembered.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Shared>);

struct Shared {
    expected: Expected,
    trust: RwLock<Arc<Trust>>,
}

/// Keys, and what was verified under them. They come and go together: a call that is still verifying under older keys
/// while they are replaced leaves its result with those.
struct Trust {
    keys: Keys,
    verified: Cache<[u8; 32], Arc<Identity>>,
}

impl Tokens {
    /// Verifies with these keys, and demands this `iss` and this `aud` where they are given.
    #[must_use]
    pub(crate) fn new(keys: Keys, issuer: Option<String>, audience: Option<String>) -> Self {
        Self(Arc::new(Shared {
            expected: Expected { issuer, audience },
            trust: RwLock::new(Trust::new(keys)),
        }))
    }

    /// Takes other keys from now on. What was verified under the older ones is forgotten.
    pub(crate) fn replace(&self, keys: Keys) {
        let trust = Trust::new(keys);
        *self.0.trust.write().unwrap_or_else(PoisonError::into_inner) = trust;
    }

    /// Who calls with these headers at this time.
    ///
    /// # Errors
    /// The rule that the token broke, or that there is none.
    pub(crate) fn verify(
        &self,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Result<Arc<Identity>, Refusal> {
        let token = bearer(headers)?;
        let trust = Arc::clone(&self.0.trust.read().unwrap_or_else(PoisonError::into_inner));
        let fingerprint = fingerprint(token);
        if let Some(identity) = trust.verified.get(&fingerprint) {
            if let Err(expired) = in_time(now, identity.expires) {
                trust.verified.remove(&fingerprint);
                return Err(expired);
            }
            return Ok(identity);
        }
        let claims: Claims = signed(token, &trust.keys)?;
        let identity = Arc::new(self.0.expected.identity(claims, now)?);
        trust.verified.insert(fingerprint, Arc::clone(&identity));
        Ok(identity)
    }
}

/// Shows what is demanded, and nothing of any token.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("expected", &self.0.expected)
            .finish_non_exhaustive()
    }
}

impl Trust {
    fn new(keys: Keys) -> Arc<Self> {
        Arc::new(Self {
            keys,
            verified: Cache::new(REMEMBERED),
        })
    }
}

fn fingerprint(token: &str) -> [u8; 32] {
    digest(&SHA256, token.as_bytes())
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
