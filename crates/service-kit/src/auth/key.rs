//! One public key: how it is read from a JWK (RFC 7517, 7518, 8037), and what it says of a signature.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::{Map, Value};

/// What RS256 is to have (RFC 7518, 3.3), and what ring checks.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// How a token can be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519. `EdDSA` is its old name, which leaves the curve open (RFC 9864).
    Ed25519,
}

impl Algorithm {
    /// The one that an `alg` names, in a token or in a key.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::Ed25519),
            _ => None,
        }
    }
}

/// A key with which the signatures of one algorithm are verified.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key {
    id: Option<String>,
    public: Public,
}

#[derive(Clone, PartialEq, Eq)]
enum Public {
    /// Modulus and exponent, without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The point, uncompressed. Whether it is on the curve is seen when it is used: otherwise no signature is good.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Key {
    /// Reads a JWK that holds no secret.
    pub(super) fn parse(jwk: &Map<String, Value>) -> Result<Self, Unusable> {
        let id = optional(jwk, "kid")?;
        if optional(jwk, "use")?.is_some_and(|purpose| purpose != "sig") || !may_verify(jwk)? {
            return Err(Unusable::Purpose);
        }
        let public = match optional(jwk, "kty")?.ok_or(Unusable::Member("kty"))? {
            "RSA" => Public::rsa(decoded(jwk, "n")?, decoded(jwk, "e")?)?,
            "EC" if optional(jwk, "crv")? == Some("P-256") => {
                let (x, y) = (element(jwk, "x")?, element(jwk, "y")?);
                Public::P256([[0x04].as_slice(), &x, &y].concat())
            }
            "OKP" if optional(jwk, "crv")? == Some("Ed25519") => {
                Public::Ed25519(element(jwk, "x")?)
            }
            _ => return Err(Unusable::Kind),
        };
        // A key is good for one algorithm only (RFC 8725, 3.1): one for PS256 must not verify an RS256.
        if let Some(name) = optional(jwk, "alg")?
            && Algorithm::named(name) != Some(public.algorithm())
        {
            return Err(Unusable::Algorithm);
        }
        Ok(Self {
            id: id.map(str::to_owned),
            public,
        })
    }

    /// Whether the token's header means this key.
    pub(super) fn is_meant(&self, algorithm: Algorithm, id: Option<&str>) -> bool {
        self.public.algorithm() == algorithm && (id.is_none() || self.id.as_deref() == id)
    }

    /// Whether the signature is the one of this key for this message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.public {
            Public::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Public::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            Public::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point)
                .verify(message, signature)
                .is_ok(),
        }
    }
}

/// Without the numbers, which say nothing to people.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.public.algorithm())
            .finish_non_exhaustive()
    }
}

impl Public {
    fn rsa(mut n: Vec<u8>, e: Vec<u8>) -> Result<Self, Unusable> {
        // Some libraries write the sign bit of their big numbers; RFC 7518, 6.3.1.1 knows of them.
        n.drain(..n.iter().take_while(|byte| **byte == 0).count());
        let bits = n
            .first()
            .map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
        if !RSA_BITS.contains(&bits) {
            return Err(Unusable::Size { bits });
        }
        // ring refuses others too, but only when a token comes. With 1 anybody could sign.
        let odd = e.last().is_some_and(|last| last % 2 == 1);
        if !odd || e[0] == 0 || e == [1] || e.len() > 4 {
            return Err(Unusable::Member("e"));
        }
        Ok(Self::Rsa { n, e })
    }

    const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::Ed25519,
        }
    }
}

/// Whether `key_ops`, which few keys have, lets us verify.
fn may_verify(jwk: &Map<String, Value>) -> Result<bool, Unusable> {
    match jwk.get("key_ops") {
        None => Ok(true),
        Some(Value::Array(operations)) => Ok(operations.iter().any(|it| it == "verify")),
        Some(_) => Err(Unusable::Member("key_ops")),
    }
}

fn optional<'a>(
    jwk: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, Unusable> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Unusable::Member(name)),
    }
}

fn decoded(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, Unusable> {
    optional(jwk, name)?
        .and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok())
        .ok_or(Unusable::Member(name))
}

/// A coordinate on one of the curves, both of which have 256 bits.
fn element(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, Unusable> {
    decoded(jwk, name).and_then(|bytes| match bytes.len() {
        32 => Ok(bytes),
        _ => Err(Unusable::Member(name)),
    })
}

/// Why a key of a set is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is no JSON object.
    #[error("is not a JSON object")]
    NotAnObject,
    /// It is for encryption, or for something else than to verify.
    #[error("is not for verifying signatures")]
    Purpose,
    /// Another type or curve than those that we know.
    #[error("is not an RSA, P-256 or Ed25519 key")]
    Kind,
    /// It is for another algorithm.
    #[error("is for another algorithm than RS256, ES256 or EdDSA")]
    Algorithm,
    /// An RSA key that is too short to be safe, or too long to be quick.
    #[error("has {bits} bits, and RSA keys need 2048 to 8192")]
    Size {
        /// How long its modulus is.
        bits: usize,
    },
    /// A member is missing, or is not what its RFC says.
    #[error("has no usable \"{0}\"")]
    Member(&'static str),
}

/// A key that is in the set and is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key {position} {why}")]
pub struct PassedOver {
    /// Which one it is, counted from one.
    pub position: usize,
    /// Why.
    pub why: Unusable,
}
