//! Whatever comes as a token or stands in the file of keys: it is taken, or refused without a word of what it says.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuzz_support::bytes;
use proptest::prelude::*;
use serde_json::json;
use test_support::tokens::{self, Issuer};
use tonic::codegen::http::header::AUTHORIZATION;
use tonic::codegen::http::{HeaderMap, HeaderValue};

use super::claims::{Claims, Expected};
use super::keys::Keys;
use super::tokens::Tokens;

/// Stands where a caller or an issuer may keep something to themselves.
const SECRET: &str = "Tr0ub4dor";

/// A verifier with a key of each algorithm, a header with a token of each, and sets of keys.
struct Samples {
    tokens: Tokens,
    headers: Vec<String>,
    sets: Vec<String>,
}

/// Made once, as that takes most of the time.
fn samples() -> &'static Samples {
    static SAMPLES: OnceLock<Samples> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let issuers = [Issuer::rsa("r"), Issuer::p256("p"), Issuer::ed25519("e")];
        let jwks = tokens::jwks(&issuers.each_ref());
        let claims = json!({ "sub": "alice", "scope": "circles.read", "exp": 4_000_000_000_u64, "no": SECRET });
        let headers = issuers.iter().map(|issuer| format!("Bearer {}", issuer.token(&claims)));
        let mut sets: Vec<String> = issuers.iter().map(Issuer::jwks).collect();
        let mut private = issuers[2].jwk();
        private["d"] = json!(SECRET);
        sets.extend([json!({ "keys": [private, { "kty": "oct", "k": SECRET }] }).to_string(), jwks.clone()]);
        let keys = Keys::parse(jwks.as_bytes()).unwrap();
        Samples { tokens: Tokens::new(keys, None, None), headers: headers.collect(), sets }
    })
}

proptest! {
    #[test]
    fn tokens_survive_any_bytes(value in bytes(&samples().headers)) {
        let Ok(header) = HeaderValue::from_bytes(&value) else {
            return Ok(());
        };
        let headers = HeaderMap::from_iter([(AUTHORIZATION, header)]);
        match samples().tokens.verify(&headers, UNIX_EPOCH) {
            Ok(_) => {
                // Only one that was signed, to the letter.
                let text = String::from_utf8(value).unwrap();
                let token = text.trim_end_matches(' ').rsplit(' ').next().unwrap();
                prop_assert!(samples().headers.iter().any(|it| it.strip_prefix("Bearer ") == Some(token)));
            }
            Err(refusal) => prop_assert!(!refusal.to_string().contains(SECRET)),
        }
    }

    #[test]
    fn sets_of_keys_survive_any_bytes(stored in bytes(&samples().sets)) {
        match Keys::parse(&stored) {
            Ok(keys) => {
                prop_assert!(keys.len() > 0);
                // Keys that no issuer made: what they say of a token is not more than no.
                let tokens = Tokens::new(keys, None, None);
                let header = HeaderValue::from_str(&samples().headers[stored.len() % 3]).unwrap();
                let _ = tokens.verify(&HeaderMap::from_iter([(AUTHORIZATION, header)]), UNIX_EPOCH);
            }
            Err(refused) => prop_assert!(!refused.to_string().contains(SECRET), "{}", refused),
        }
    }

    #[test]
    fn claims_survive_any_bytes(
        payload in bytes([
            json!({ "sub": "alice", "scope": "a b", "exp": 4_000_000_000_u64, "iss": "i", "aud": "c" }),
            json!({ "sub": SECRET, "scp": ["a", "b"], "exp": 4e9, "nbf": 1.5, "iss": "i", "aud": ["b", "c"] }),
            json!({ "sub": "bob", "exp": 1e300, "nbf": -1e300, "iss": SECRET, "aud": [] }),
        ].map(|claims| claims.to_string())),
        now in any::<u32>(),
        demanding in any::<bool>(),
    ) {
        let Ok(claims) = serde_json::from_slice::<Claims>(&payload) else {
            return Ok(());
        };
        let expected = Expected {
            issuer: demanding.then(|| "i".to_owned()),
            audience: demanding.then(|| "c".to_owned()),
        };
        let now: SystemTime = UNIX_EPOCH + Duration::from_secs(now.into());
        match expected.identity(claims, now) {
            Ok(identity) => {
                prop_assert!((1..=255).contains(&identity.subject.len()));
                prop_assert!(!identity.subject.chars().any(char::is_control));
                prop_assert!(now < identity.expires);
            }
            Err(refusal) => prop_assert!(!refusal.to_string().contains(SECRET)),
        }
    }
}
