//! What holds of any text, and of any change to a good token.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};
use test_support::tokens::{self, Issuer};
use tonic::codegen::http::HeaderValue;

use super::*;

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The keys of an issuer of each algorithm, and a token of each. Made once, as that takes most of the time.
fn sample() -> &'static (Keys, Vec<String>) {
    static SAMPLE: OnceLock<(Keys, Vec<String>)> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let issuers = [Issuer::rsa("r"), Issuer::p256("p"), Issuer::ed25519("e")];
        let jwks = tokens::jwks(&issuers.each_ref());
        let claims = json!({ "sub": "alice", "scope": "circles.read" });
        let tokens = issuers.iter().map(|issuer| issuer.token(&claims));
        (Keys::parse(jwks.as_bytes()).unwrap(), tokens.collect())
    })
}

proptest! {
    #[test]
    fn no_bytes_are_taken_for_a_bearer(bytes in any::<Vec<u8>>(), scheme in any::<bool>()) {
        let value = if scheme { [b"Bearer ", bytes.as_slice()].concat() } else { bytes };
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
            let answer = bearer(&headers).and_then(|token| signed::<Value>(token, &sample().0));
            prop_assert!(answer.is_err());
        }
    }

    #[test]
    fn no_text_is_taken_for_a_token(text in any::<String>()) {
        prop_assert!(signed::<Value>(&text, &sample().0).is_err());
    }

    #[test]
    fn no_header_makes_up_for_a_signature(
        alg in prop_oneof![Just("RS256"), Just("ES256"), Just("EdDSA"), Just("none"), Just("HS256")],
        kid in prop::option::of(prop_oneof![Just("r"), Just("p"), Just("e")]),
        signature in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let header = json!({ "alg": alg, "kid": kid }).to_string();
        let message = format!("{}.{}", encoded(header), encoded("{}"));
        let token = format!("{message}.{}", encoded(signature));
        prop_assert!(signed::<Value>(&token, &sample().0).is_err());
    }

    #[test]
    fn no_change_to_a_token_goes_unseen(
        which in 0..3usize,
        at in any::<prop::sample::Index>(),
        cut in 0..4usize,
        put in "[A-Za-z0-9_.=-]{0,3}",
    ) {
        let (keys, tokens) = sample();
        let token = &tokens[which];
        let at = at.index(token.len());
        let end = (at + cut).min(token.len());
        let changed = format!("{}{put}{}", &token[..at], &token[end..]);
        let answer = signed::<Value>(&changed, keys);
        prop_assert_eq!(answer.is_ok(), changed == *token, "{}", changed);
    }

    #[test]
    fn no_set_of_keys_makes_us_panic(
        member in prop_oneof![Just("kty"), Just("crv"), Just("x"), Just("y"), Just("n"), Just("e"), Just("alg")],
        value in prop_oneof![
            Just(json!(null)), Just(json!("RSA")), Just(json!("EC")), Just(json!("OKP")), Just(json!("P-256")),
            prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| json!(encoded(bytes))),
        ],
        which in 0..3usize,
    ) {
        let mut jwk = [Issuer::rsa("r"), Issuer::p256("p"), Issuer::ed25519("e")][which].jwk();
        jwk[member] = value;
        if let Ok(keys) = Keys::parse(json!({ "keys": [jwk] }).to_string().as_bytes()) {
            // A key that no issuer made may be of no use, but no more than that.
            let _ = signed::<Value>(&sample().1[which], &keys);
        }
    }
}
