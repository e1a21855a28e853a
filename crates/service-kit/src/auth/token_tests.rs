use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use test_support::tokens::{self, Issuer};
use tonic::codegen::http::HeaderValue;

use super::*;

const CLAIMS: &str = r#"{"sub":"alice"}"#;

fn keys(issuers: &[&Issuer]) -> Keys {
    Keys::parse(tokens::jwks(issuers).as_bytes()).unwrap()
}

fn verify(token: &str, issuers: &[&Issuer]) -> Result<Value, Refusal> {
    signed(token, &keys(issuers))
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn authorization(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.append(AUTHORIZATION, value);
    }
    headers
}

#[test]
fn a_bearer_token_is_found() {
    for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c "] {
        assert_eq!(bearer(&authorization(&[value])), Ok("a.b.c"), "{value}");
    }
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "a.b.c",
        "Bearera.b.c",
    ] {
        let headers = authorization(&[value]);
        assert_eq!(bearer(&headers), Err(Refusal::Missing), "{value}");
    }
    assert_eq!(bearer(&HeaderMap::new()), Err(Refusal::Missing));
    for values in [
        ["Bearer a.b.c", "Bearer a.b.c"],
        ["Basic YTpi", "Bearer a.b.c"],
    ] {
        let headers = authorization(&values);
        assert_eq!(bearer(&headers), Err(Refusal::Malformed), "{values:?}");
    }
    let headers = authorization(&["Bearer ä.b.c"]);
    assert_eq!(bearer(&headers), Err(Refusal::Malformed));
}

#[test]
fn a_long_token_is_not_looked_at() {
    let longest = format!("Bearer {}", "a".repeat(MAX_LENGTH));
    assert!(bearer(&authorization(&[&longest])).is_ok());
    let longer = format!("{longest}a");
    assert_eq!(bearer(&authorization(&[&longer])), Err(Refusal::TooLong));
}

#[test]
fn every_algorithm_with_and_without_a_kid() {
    let issuers = [Issuer::rsa("r"), Issuer::p256("p"), Issuer::ed25519("e")];
    let all: Vec<&Issuer> = issuers.iter().collect();
    for (issuer, kid) in issuers.iter().zip(["r", "p", "e"]) {
        let alg = issuer.algorithm();
        for header in [json!({ "alg": alg, "kid": kid }), json!({ "alg": alg })] {
            let token = issuer.signed(&header, CLAIMS);
            assert_eq!(verify(&token, &all), Ok(json!({ "sub": "alice" })), "{alg}");
        }
    }
    // The name that leaves nothing open.
    let token = issuers[2].signed(&json!({ "alg": "Ed25519" }), CLAIMS);
    assert!(verify(&token, &all).is_ok());
}

#[test]
fn without_a_kid_every_key_of_the_algorithm_is_tried() {
    let (old, new) = (Issuer::ed25519("old"), Issuer::ed25519("new"));
    for issuer in [&old, &new] {
        let token = issuer.signed(&json!({ "alg": "EdDSA" }), CLAIMS);
        assert!(verify(&token, &[&old, &new]).is_ok());
    }
    // With one, only that.
    let token = new.signed(&json!({ "alg": "EdDSA", "kid": "old" }), CLAIMS);
    assert_eq!(verify(&token, &[&old, &new]), Err(Refusal::Signature));
}

#[test]
fn a_stranger_is_refused() {
    for (ours, stranger) in [
        (Issuer::ed25519("1"), Issuer::ed25519("1")),
        (Issuer::p256("1"), Issuer::p256("1")),
    ] {
        let token = stranger.token(&json!({ "sub": "alice" }));
        assert_eq!(verify(&token, &[&ours]), Err(Refusal::Signature));
        let kid = json!({ "alg": stranger.algorithm(), "kid": "2" });
        let token = stranger.signed(&kid, CLAIMS);
        assert_eq!(verify(&token, &[&ours]), Err(Refusal::UnknownKey));
        // A key that the token brings along counts for nothing.
        let brought = json!({ "alg": stranger.algorithm(), "jwk": stranger.jwk() });
        let token = stranger.signed(&brought, CLAIMS);
        assert_eq!(verify(&token, &[&ours]), Err(Refusal::Signature));
    }
}

#[test]
fn another_payload_under_the_same_signature_is_refused() {
    for issuer in [Issuer::rsa("1"), Issuer::p256("1"), Issuer::ed25519("1")] {
        let token = issuer.token(&json!({ "sub": "alice" }));
        let pieces: Vec<&str> = token.split('.').collect();
        let forged = format!(
            "{}.{}.{}",
            pieces[0],
            encoded(r#"{"sub":"root"}"#),
            pieces[2]
        );
        assert_eq!(verify(&forged, &[&issuer]), Err(Refusal::Signature));
        let unsigned = format!("{}.{}.", pieces[0], pieces[1]);
        assert_eq!(verify(&unsigned, &[&issuer]), Err(Refusal::Signature));
    }
}

#[test]
fn an_unsigned_token_is_refused() {
    let issuer = Issuer::rsa("1");
    for alg in [
        "none", "None", "NONE", "", "RS512", "PS256", "ES384", "HS256",
    ] {
        let header = json!({ "alg": alg, "kid": "1" });
        let unsigned = format!("{}.{}.", encoded(header.to_string()), encoded(CLAIMS));
        assert_eq!(
            verify(&unsigned, &[&issuer]),
            Err(Refusal::Algorithm),
            "{alg}"
        );
        let signed = issuer.signed(&header, CLAIMS);
        assert_eq!(
            verify(&signed, &[&issuer]),
            Err(Refusal::Algorithm),
            "{alg}"
        );
    }
}

#[test]
fn a_public_key_is_no_secret_for_an_hmac() {
    let issuer = Issuer::rsa("1");
    let header = json!({ "alg": "HS256", "kid": "1" }).to_string();
    let message = format!("{}.{}", encoded(header), encoded(CLAIMS));
    let modulus = issuer.jwk()["n"].as_str().unwrap().to_owned();
    let modulus = BASE64_URL_SAFE_NO_PAD.decode(modulus).unwrap();
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &modulus);
    let tag = encoded(hmac::sign(&secret, message.as_bytes()));
    let token = format!("{message}.{tag}");
    assert_eq!(verify(&token, &[&issuer]), Err(Refusal::Algorithm));

    // Nor does it become one when the header says RS256.
    let header = json!({ "alg": "RS256", "kid": "1" }).to_string();
    let message = format!("{}.{}", encoded(header), encoded(CLAIMS));
    let tag = encoded(hmac::sign(&secret, message.as_bytes()));
    let token = format!("{message}.{tag}");
    assert_eq!(verify(&token, &[&issuer]), Err(Refusal::Signature));
}

#[test]
fn a_kid_does_not_lead_to_a_key_of_another_algorithm() {
    let (rsa, p256) = (Issuer::rsa("r"), Issuer::p256("p"));
    let both = [&rsa, &p256];
    let token = p256.signed(&json!({ "alg": "ES256", "kid": "r" }), CLAIMS);
    assert_eq!(verify(&token, &both), Err(Refusal::UnknownKey));
    let token = p256.signed(&json!({ "alg": "RS256", "kid": "r" }), CLAIMS);
    assert_eq!(verify(&token, &both), Err(Refusal::Signature));
    // One kid for two keys is fine: the algorithm tells them apart.
    let (rsa, p256) = (Issuer::rsa("1"), Issuer::p256("1"));
    for issuer in [&rsa, &p256] {
        let token = issuer.token(&json!({ "sub": "alice" }));
        assert!(verify(&token, &[&rsa, &p256]).is_ok());
    }
}

#[test]
fn extensions_are_refused() {
    let issuer = Issuer::ed25519("1");
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!(null)] {
        let header = json!({ "alg": "EdDSA", "b64": false, "crit": crit });
        let token = issuer.signed(&header, CLAIMS);
        assert_eq!(
            verify(&token, &[&issuer]),
            Err(Refusal::Extensions),
            "{crit}"
        );
    }
}

#[test]
fn what_else_the_issuer_signs_is_no_access_token() {
    let issuer = Issuer::ed25519("1");
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/AT+jwt",
        "JWT",
        "jwt",
    ] {
        let token = issuer.signed(&json!({ "alg": "EdDSA", "typ": typ }), CLAIMS);
        assert!(verify(&token, &[&issuer]).is_ok(), "{typ}");
    }
    for typ in [
        "logout+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "text/at+jwt",
        "",
        "ääääääääääää",
    ] {
        let token = issuer.signed(&json!({ "alg": "EdDSA", "typ": typ }), CLAIMS);
        assert_eq!(verify(&token, &[&issuer]), Err(Refusal::NotAccess), "{typ}");
    }
}

#[test]
fn what_is_no_token() {
    let issuer = Issuer::ed25519("1");
    let good = issuer.token(&json!({ "sub": "alice" }));
    let pieces: Vec<&str> = good.split('.').collect();
    let (header, payload, signature) = (pieces[0], pieces[1], pieces[2]);
    for token in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{payload}.{signature}"),
        format!("{good}="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}.{signature}+/"),
        format!("{}.{payload}.{signature}", encoded("{}")),
        format!(
            "{}.{payload}.{signature}",
            encoded(r#"["EdDSA",null,null,false]"#)
        ),
        format!("{}.{payload}.{signature}", encoded(r#"{"alg":5}"#)),
        format!(
            "{}.{payload}.{signature}",
            encoded(r#"{"alg":"EdDSA","kid":["1"]}"#)
        ),
        format!(
            "{}.{payload}.{signature}",
            encoded(r#"{"alg":"EdDSA","alg":"none"}"#)
        ),
    ] {
        assert_eq!(
            verify(&token, &[&issuer]),
            Err(Refusal::Malformed),
            "{token}"
        );
    }
}

#[test]
fn spare_bits_do_not_make_another_token() {
    let issuer = Issuer::ed25519("1");
    let token = issuer.token(&json!({ "sub": "alice" }));
    // 64 bytes are 85 characters and two bits more: the last character has four bits that say nothing, all 0.
    let last = token.chars().next_back().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = alphabet.find(last).unwrap();
    assert_eq!(value % 16, 0);
    let sibling = &alphabet[value + 1..value + 2];
    let other = format!("{}{sibling}", &token[..token.len() - 1]);
    assert_eq!(verify(&other, &[&issuer]), Err(Refusal::Malformed));
}

#[test]
fn a_payload_that_is_no_object_is_refused() {
    let issuer = Issuer::ed25519("1");
    for payload in ["", "alice", "[]", "null", "{", "{} {}"] {
        let token = issuer.signed(&json!({ "alg": "EdDSA" }), payload);
        assert_eq!(
            verify(&token, &[&issuer]),
            Err(Refusal::Claims),
            "{payload}"
        );
    }
}
