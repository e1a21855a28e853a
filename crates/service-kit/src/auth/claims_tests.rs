use serde_json::{Value, json};

use super::*;
use crate::auth::Scope;

const READ: Scope = Scope::new("circles.read");
const WRITE: Scope = Scope::new("circles.write");
const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

const ANYBODY: Expected = Expected {
    issuer: None,
    audience: None,
};

fn identity(expected: &Expected, claims: &Value, now: SystemTime) -> Result<Identity, Refusal> {
    let claims = serde_json::from_value(claims.clone()).map_err(|_| Refusal::Claims)?;
    expected.identity(claims, now)
}

/// The answer to good claims with some changed, or with null taken away.
fn with(changes: Value) -> Result<Identity, Refusal> {
    let mut claims = json!({ "sub": "alice", "exp": NOW + 60 });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    identity(&ANYBODY, &claims, at(NOW))
}

#[test]
fn who_it_is() {
    let identity = with(json!({ "scope": "circles.read openid", "iat": NOW, "jti": "x" })).unwrap();
    assert_eq!(identity.subject, "alice");
    assert!(identity.scopes.contains(READ) && !identity.scopes.contains(WRITE));
    assert_eq!(identity.expires, at(NOW + 60) + LEEWAY);
}

#[test]
fn what_is_not_demanded_may_be_anything() {
    assert!(with(json!({ "iss": "https://issuer.example", "aud": "library" })).is_ok());
    assert!(with(json!({ "iss": null, "aud": [] })).is_ok());
}

#[test]
fn expiry() {
    let leeway = LEEWAY.as_secs();
    assert!(with(json!({ "exp": NOW - leeway + 1 })).is_ok());
    assert_eq!(with(json!({ "exp": NOW - leeway })), Err(Refusal::Expired));
    assert_eq!(with(json!({ "exp": 0 })), Err(Refusal::Expired));
    assert_eq!(with(json!({ "exp": null })), Err(Refusal::NoExpiry));
    let fraction = with(json!({ "exp": NOW as f64 + 0.5 })).unwrap();
    assert_eq!(
        fraction.expires,
        at(NOW) + Duration::from_millis(500) + LEEWAY
    );
    for exp in [
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!("1800000000"),
        json!([]),
    ] {
        assert_eq!(with(json!({ "exp": exp })), Err(Refusal::Claims), "{exp}");
    }
}

#[test]
fn not_before() {
    let leeway = LEEWAY.as_secs();
    assert!(with(json!({ "nbf": NOW + leeway })).is_ok());
    assert!(with(json!({ "nbf": 0 })).is_ok());
    let early = with(json!({ "nbf": NOW + leeway + 1 }));
    assert_eq!(early, Err(Refusal::NotYetValid));
    for nbf in [json!(-1), json!(1e300), json!("0")] {
        assert_eq!(with(json!({ "nbf": nbf })), Err(Refusal::Claims), "{nbf}");
    }
}

#[test]
fn subject() {
    let longest = "é".repeat(127) + "x";
    assert_eq!(with(json!({ "sub": longest })).unwrap().subject, longest);
    for sub in [
        json!(null),
        json!(""),
        json!(format!("{longest}x")),
        json!("alice\nroot"),
        json!("alice\u{85}"),
        json!("\0"),
    ] {
        assert_eq!(with(json!({ "sub": sub })), Err(Refusal::Subject), "{sub}");
    }
    assert_eq!(with(json!({ "sub": 5 })), Err(Refusal::Claims));
}

#[test]
fn issuer() {
    let expected = Expected {
        issuer: Some("https://issuer.example".to_owned()),
        audience: None,
    };
    let with = |iss: Value| {
        let claims = json!({ "sub": "alice", "exp": NOW + 60, "iss": iss });
        identity(&expected, &claims, at(NOW)).map(|identity| identity.subject)
    };
    assert!(with(json!("https://issuer.example")).is_ok());
    for iss in [json!(null), json!(""), json!("https://issuer.example/")] {
        assert_eq!(with(iss.clone()), Err(Refusal::WrongIssuer), "{iss}");
    }
    assert_eq!(
        with(json!(["https://issuer.example"])),
        Err(Refusal::Claims)
    );
}

#[test]
fn audience() {
    let expected = Expected {
        issuer: None,
        audience: Some("circles".to_owned()),
    };
    let with = |aud: Value| {
        let claims = json!({ "sub": "alice", "exp": NOW + 60, "aud": aud });
        identity(&expected, &claims, at(NOW)).map(|identity| identity.subject)
    };
    for aud in [json!("circles"), json!(["library", "circles"])] {
        assert!(with(aud.clone()).is_ok(), "{aud}");
    }
    for aud in [
        json!(null),
        json!("library"),
        json!("circles library"),
        json!([]),
    ] {
        assert_eq!(with(aud.clone()), Err(Refusal::WrongAudience), "{aud}");
    }
    assert_eq!(with(json!([5, "circles"])), Err(Refusal::Claims));
}

#[test]
fn scopes_under_either_name_as_text_or_list() {
    let scopes = |changes| with(changes).unwrap().scopes;
    for scopes in [
        scopes(json!({ "scope": "circles.read circles.write" })),
        scopes(json!({ "scope": ["circles.read", "circles.write"] })),
        scopes(json!({ "scp": "circles.read circles.write" })),
        scopes(json!({ "scp": ["circles.read", "circles.write"] })),
    ] {
        assert!(scopes.contains(READ) && scopes.contains(WRITE));
    }
    assert_eq!(scopes(json!({})), Scopes::default());
    assert_eq!(with(json!({ "scope": 5 })), Err(Refusal::Claims));
}

#[test]
fn a_name_that_is_there_twice_is_refused() {
    let twice = r#"{"sub":"alice","sub":"root","exp":1}"#;
    assert!(serde_json::from_str::<Claims>(twice).is_err());
}
