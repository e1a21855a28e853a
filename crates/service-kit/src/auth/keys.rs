//! The public keys of an issuer: a JWK Set.

use serde_json::{Map, Value};

use super::key::{Algorithm, Key, PassedOver, Unusable};

/// How many keys are tried for one token. Whoever sends a bad one has us do all that work.
const MAX_TRIED: usize = 16;

/// The members of a JWK that hold a secret, of whatever type the key is (RFC 7518, 6.2.2 and 6.3.2; RFC 8037, 2;
/// RFC 9964).
const SECRETS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// The keys that an issuer signs with, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    keys: Vec<Key>,
    passed_over: Vec<PassedOver>,
}

impl Keys {
    /// Reads a JWK Set. Used are RSA keys of 2048 to 8192 bits (RS256), keys on P-256 (ES256) and on Ed25519 (EdDSA);
    /// others are passed over, since issuers publish what they need for other purposes too (RFC 7517, 5).
    ///
    /// # Errors
    /// When it is none, when no key in it can be used, or when there is a secret in it: that has to go nowhere
    /// near a service, and whoever can read the secret can make tokens.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, KeysError> {
        let set: Map<String, Value> =
            serde_json::from_slice(json).map_err(|error| KeysError::NotJson {
                line: error.line(),
                column: error.column(),
            })?;
        let Some(Value::Array(jwks)) = set.get("keys") else {
            return Err(KeysError::NotASet);
        };
        let mut keys = Vec::new();
        let mut passed_over = Vec::new();
        for (index, jwk) in jwks.iter().enumerate() {
            let position = index + 1;
            match read(jwk, position)? {
                Ok(key) => keys.push(key),
                Err(why) => passed_over.push(PassedOver { position, why }),
            }
        }
        if keys.is_empty() {
            return Err(KeysError::NoneUsable { passed_over });
        }
        Ok(Self { keys, passed_over })
    }

    /// How many keys are used.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys of the set that are not used, for the log: a token signed with one of them is refused.
    #[must_use]
    pub(crate) fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// The keys that a token's header can mean: all of the algorithm where it has no `kid`. A `kid` can belong to two
    /// keys, while an issuer changes from one algorithm to another (RFC 7517, 4.5).
    pub(super) fn meant(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> impl Iterator<Item = &Key> {
        self.keys
            .iter()
            .filter(move |key| key.is_meant(algorithm, id))
            .take(MAX_TRIED)
    }
}

/// A key, or why it is passed over, or why the whole set is refused.
fn read(jwk: &Value, position: usize) -> Result<Result<Key, Unusable>, KeysError> {
    let Value::Object(jwk) = jwk else {
        return Ok(Err(Unusable::NotAnObject));
    };
    // Before anything else: a secret must not pass because the key is also of a kind that is not used.
    if jwk.get("kty").is_some_and(|kind| kind == "oct") || jwk.contains_key("k") {
        return Err(KeysError::SymmetricKey { position });
    }
    if SECRETS.iter().any(|name| jwk.contains_key(*name)) {
        return Err(KeysError::PrivateKey { position });
    }
    Ok(Key::parse(jwk))
}

/// Why a set of keys is refused. None of it repeats what the file holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// It is no JSON object.
    #[error("is not a JSON object (line {line}, column {column})")]
    NotJson {
        /// The line where that shows.
        line: usize,
        /// And the column.
        column: usize,
    },
    /// It is JSON, but no JWK Set. A single JWK is none either.
    #[error("is not a JWK Set: an object with the array \"keys\"")]
    NotASet,
    /// The private half of a key is in it.
    #[error(
        "holds a private key (key {position}): only the issuer may have that, and the public part is enough here"
    )]
    PrivateKey {
        /// Which key it is, counted from one.
        position: usize,
    },
    /// A key that signs as well as it verifies is in it.
    #[error(
        "holds a symmetric key (key {position}): whoever verifies with it could also sign, so none is accepted"
    )]
    SymmetricKey {
        /// Which key it is, counted from one.
        position: usize,
    },
    /// No token could be verified with it.
    #[error("has no key that can be used{}", listed(.passed_over))]
    NoneUsable {
        /// Those that are in it.
        passed_over: Vec<PassedOver>,
    },
}

fn listed(passed_over: &[PassedOver]) -> String {
    let mut text = String::new();
    for (index, key) in passed_over.iter().enumerate() {
        text.push_str(if index == 0 { ": " } else { "; " });
        text.push_str(&key.to_string());
    }
    text
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
