//! Tokens (JWTs) for tests, from an issuer that the test makes up.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde_json::{Value, json};

/// How long the tokens of [`Issuer::bearer`] are good: longer than any test.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// ring makes no RSA keys. This one is from `openssl genpkey -algorithm RSA` and used in tests only.
const RSA_2048: &[u8] = include_bytes!("rsa_2048.pk8");

/// Somebody who signs tokens with one key.
#[derive(Debug)]
pub struct Issuer {
    kid: String,
    key: Key,
}

#[derive(Debug)]
enum Key {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Issuer {
    /// An issuer with a new key on Ed25519, whose tokens say EdDSA.
    ///
    /// # Panics
    ///
    /// Where the system has no randomness.
    #[must_use]
    pub fn ed25519(kid: &str) -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap();
        Self::new(kid, Key::Ed25519(key))
    }

    /// An issuer with a new key on P-256, whose tokens say ES256.
    ///
    /// # Panics
    ///
    /// Where the system has no randomness.
    #[must_use]
    pub fn p256(kid: &str) -> Self {
        let random = SystemRandom::new();
        let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(curve, made.as_ref(), &random).unwrap();
        Self::new(kid, Key::P256(key))
    }

    /// An issuer with an RSA key of 2048 bits, always the same one, whose tokens say RS256.
    ///
    /// # Panics
    ///
    /// Never: the key is fixed.
    #[must_use]
    pub fn rsa(kid: &str) -> Self {
        Self::new(kid, Key::Rsa(RsaKeyPair::from_pkcs8(RSA_2048).unwrap()))
    }

    fn new(kid: &str, key: Key) -> Self {
        let kid = kid.to_owned();
        Self { kid, key }
    }

    /// The public key, as a JWK.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.key {
            Key::Ed25519(key) => json!({
                "kty": "OKP", "crv": "Ed25519", "x": encoded(key.public_key()),
            }),
            Key::P256(key) => {
                // A byte that says "uncompressed" comes first.
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y) })
            }
            Key::Rsa(key) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({ "kty": "RSA", "n": encoded(public.n), "e": encoded(public.e) })
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.algorithm());
        jwk["use"] = json!("sig");
        jwk
    }

    /// A JWK Set with this key alone.
    #[must_use]
    pub fn jwks(&self) -> String {
        jwks(&[self])
    }

    /// A token with these claims and no others.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        let header = json!({ "typ": "at+jwt", "alg": self.algorithm(), "kid": self.kid });
        self.signed(&header, &claims.to_string())
    }

    /// The value of `authorization` for a caller with these scopes (a space separates them), good for an hour. It says
    /// nothing of an issuer or an audience.
    ///
    /// # Panics
    ///
    /// Where the clock shows a time before 1970.
    #[must_use]
    pub fn bearer(&self, subject: &str, scopes: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let claims = json!({
            "sub": subject, "scope": scopes, "exp": (now + LIFETIME).as_secs(),
        });
        format!("Bearer {}", self.token(&claims))
    }

    /// A token with any header and any payload, whether they make sense or not, signed with the key all the same.
    ///
    /// # Panics
    ///
    /// Where the system has no randomness.
    #[must_use]
    pub fn signed(&self, header: &Value, payload: &str) -> String {
        let message = format!("{}.{}", encoded(header.to_string()), encoded(payload));
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Ed25519(key) => key.sign(message.as_bytes()).as_ref().to_vec(),
            Key::P256(key) => {
                let signature = key.sign(&random, message.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(
                    &RSA_PKCS1_SHA256,
                    &random,
                    message.as_bytes(),
                    &mut signature,
                )
                .unwrap();
                signature
            }
        };
        format!("{message}.{}", encoded(signature))
    }

    /// The `alg` of its tokens.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Ed25519(_) => "EdDSA",
            Key::P256(_) => "ES256",
            Key::Rsa(_) => "RS256",
        }
    }
}

/// A JWK Set with the keys of all of these.
#[must_use]
pub fn jwks(issuers: &[&Issuer]) -> String {
    let keys: Vec<Value> = issuers.iter().map(|issuer| issuer.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
