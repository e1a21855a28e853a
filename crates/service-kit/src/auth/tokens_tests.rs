use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use test_support::tokens::{self, Issuer};
use tonic::codegen::http::header::AUTHORIZATION;

use super::*;
use crate::auth::claims::LEEWAY;

const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn trusting(issuers: &[&Issuer]) -> Tokens {
    Tokens::new(keys(issuers), None, None)
}

fn keys(issuers: &[&Issuer]) -> Keys {
    Keys::parse(tokens::jwks(issuers).as_bytes()).unwrap()
}

/// The headers of a call with a token of this issuer, good for a minute.
fn call(issuer: &Issuer, subject: &str) -> HeaderMap {
    headers(&issuer.token(&json!({ "sub": subject, "exp": NOW + 60 })))
}

fn headers(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    headers
}

fn remembered(tokens: &Tokens) -> usize {
    tokens.0.trust.read().unwrap().verified.len()
}

#[test]
fn a_caller_is_known_by_their_token() {
    let issuer = Issuer::ed25519("1");
    let tokens = trusting(&[&issuer]);
    let alice = tokens.verify(&call(&issuer, "alice"), at(NOW)).unwrap();
    let bob = tokens.verify(&call(&issuer, "bob"), at(NOW)).unwrap();
    assert_eq!(
        (alice.subject.as_str(), bob.subject.as_str()),
        ("alice", "bob")
    );
    let nobody = tokens.verify(&HeaderMap::new(), at(NOW));
    assert_eq!(nobody, Err(Refusal::Missing));
}

#[test]
fn what_is_demanded_is_demanded() {
    let issuer = Issuer::p256("1");
    let tokens = Tokens::new(keys(&[&issuer]), Some("us".into()), Some("circles".into()));
    let verify = |iss: &str, aud: &str| {
        let claims = json!({ "sub": "alice", "exp": NOW + 60, "iss": iss, "aud": aud });
        tokens.verify(&headers(&issuer.token(&claims)), at(NOW))
    };
    assert!(verify("us", "circles").is_ok());
    assert_eq!(verify("them", "circles"), Err(Refusal::WrongIssuer));
    assert_eq!(verify("us", "library"), Err(Refusal::WrongAudience));
}

#[test]
fn a_token_is_verified_once() {
    let issuer = Issuer::ed25519("1");
    let tokens = trusting(&[&issuer]);
    let call = call(&issuer, "alice");
    let first = tokens.verify(&call, at(NOW)).unwrap();
    let again = tokens.clone().verify(&call, at(NOW + 1)).unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!(remembered(&tokens), 1);
}

#[test]
fn a_token_that_is_remembered_ends_when_it_would_otherwise() {
    let issuer = Issuer::ed25519("1");
    let tokens = trusting(&[&issuer]);
    let call = call(&issuer, "alice");
    let end = tokens.verify(&call, at(NOW)).unwrap().expires;
    assert_eq!(end, at(NOW + 60) + LEEWAY);

    let before = end - Duration::from_nanos(1);
    for tokens in [&tokens, &trusting(&[&issuer])] {
        assert!(tokens.verify(&call, before).is_ok());
        assert_eq!(tokens.verify(&call, end), Err(Refusal::Expired));
        assert_eq!(remembered(tokens), 0);
    }
}

#[test]
fn refusals_are_not_remembered() {
    let (issuer, stranger) = (Issuer::ed25519("1"), Issuer::ed25519("1"));
    let tokens = trusting(&[&issuer]);
    let forged = tokens.verify(&call(&stranger, "alice"), at(NOW));
    assert_eq!(forged, Err(Refusal::Signature));
    let early = json!({ "sub": "alice", "exp": NOW + 600, "nbf": NOW + 300 });
    let early = headers(&issuer.token(&early));
    assert_eq!(tokens.verify(&early, at(NOW)), Err(Refusal::NotYetValid));
    assert_eq!(remembered(&tokens), 0);
    assert!(tokens.verify(&early, at(NOW + 300)).is_ok());
}

#[test]
fn other_keys_forget_what_the_older_ones_verified() {
    let (old, new) = (Issuer::ed25519("old"), Issuer::ed25519("new"));
    let tokens = trusting(&[&old]);
    let clone = tokens.clone();
    assert!(tokens.verify(&call(&old, "alice"), at(NOW)).is_ok());

    // While the issuer changes keys, both are good.
    tokens.replace(keys(&[&old, &new]));
    assert_eq!(remembered(&tokens), 0);
    for issuer in [&old, &new] {
        assert!(clone.verify(&call(issuer, "alice"), at(NOW)).is_ok());
    }

    tokens.replace(keys(&[&new]));
    let refused = clone.verify(&call(&old, "alice"), at(NOW));
    assert_eq!(refused, Err(Refusal::UnknownKey));
    assert!(clone.verify(&call(&new, "alice"), at(NOW)).is_ok());
}

#[test]
fn a_bounded_number_of_tokens_is_remembered() {
    let trust = Trust::new(keys(&[&Issuer::ed25519("1")]));
    let identity = Arc::new(Identity {
        subject: "alice".to_owned(),
        scopes: Default::default(),
        expires: at(NOW),
    });
    for number in 0..3 * REMEMBERED {
        let fingerprint = fingerprint(&number.to_string());
        trust.verified.insert(fingerprint, Arc::clone(&identity));
    }
    assert!((REMEMBERED / 2..=REMEMBERED).contains(&trust.verified.len()));
}

#[test]
fn the_tokens_of_the_test_support_are_good() {
    for issuer in [Issuer::rsa("1"), Issuer::p256("1"), Issuer::ed25519("1")] {
        let mut headers = HeaderMap::new();
        let value = issuer.bearer("alice", "circles.read circles.write");
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        let caller = trusting(&[&issuer])
            .verify(&headers, SystemTime::now())
            .unwrap();
        assert_eq!(caller.subject, "alice");
        assert_eq!(
            caller.require(crate::auth::Scope::new("circles.write")),
            Ok(())
        );
    }
}

#[test]
fn no_token_is_shown() {
    let issuer = Issuer::ed25519("1");
    let tokens = trusting(&[&issuer]);
    let token = issuer.token(&json!({ "sub": "alice", "exp": NOW + 60 }));
    let identity = tokens.verify(&headers(&token), at(NOW)).unwrap();
    let refused = tokens.verify(&headers(&format!("{token}A")), at(NOW));
    let shown = format!("{tokens:?} {identity:?} {refused:?}");
    let pieces: Vec<&str> = token.split('.').collect();
    assert!(pieces.iter().all(|piece| !shown.contains(piece)), "{shown}");
}
