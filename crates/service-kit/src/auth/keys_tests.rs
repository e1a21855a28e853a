use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use test_support::tokens::{self, Issuer};

use super::*;

fn parse(keys: &[Value]) -> Result<Keys, KeysError> {
    Keys::parse(json!({ "keys": keys }).to_string().as_bytes())
}

/// Why this JWK, alone in its set, can't be used.
fn unusable(jwk: Value) -> Unusable {
    match parse(&[jwk]) {
        Err(KeysError::NoneUsable { passed_over }) => passed_over[0].why,
        other => panic!("{other:?}"),
    }
}

/// A good key with another value of one member.
fn with(mut jwk: Value, member: &str, value: Value) -> Value {
    jwk[member] = value;
    jwk
}

/// A number of so many bytes.
fn modulus(first: u8, length: usize) -> Value {
    let mut bytes = vec![0xff; length];
    bytes[0] = first;
    json!(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

fn rsa() -> Value {
    Issuer::rsa("r").jwk()
}

fn p256() -> Value {
    Issuer::p256("p").jwk()
}

fn ed25519() -> Value {
    Issuer::ed25519("e").jwk()
}

#[test]
fn keys_of_every_algorithm() {
    let (rsa, p256, ed25519) = (Issuer::rsa("r"), Issuer::p256("p"), Issuer::ed25519("e"));
    let keys = Keys::parse(tokens::jwks(&[&rsa, &p256, &ed25519]).as_bytes()).unwrap();
    assert_eq!((keys.len(), keys.passed_over()), (3, [].as_slice()));
    for (algorithm, kid) in [
        (Algorithm::Rs256, "r"),
        (Algorithm::Es256, "p"),
        (Algorithm::Ed25519, "e"),
    ] {
        assert_eq!(keys.meant(algorithm, None).count(), 1);
        assert_eq!(keys.meant(algorithm, Some(kid)).count(), 1);
        assert_eq!(keys.meant(algorithm, Some("x")).count(), 0);
    }
    // A kid does not lead to a key of another algorithm.
    assert_eq!(keys.meant(Algorithm::Es256, Some("r")).count(), 0);
}

#[test]
fn what_a_key_may_leave_out_or_have_besides() {
    let mut bare = ed25519();
    for member in ["kid", "alg", "use"] {
        bare.as_object_mut().unwrap().remove(member);
    }
    let keys = parse(&[
        bare,
        with(ed25519(), "alg", json!("Ed25519")),
        with(rsa(), "key_ops", json!(["verify"])),
        with(rsa(), "x5c", json!(["MIIC"])),
    ])
    .unwrap();
    assert_eq!(keys.len(), 4);
}

#[test]
fn a_sign_byte_before_the_modulus_is_put_up_with() {
    let n = BASE64_URL_SAFE_NO_PAD
        .decode(rsa()["n"].as_str().unwrap())
        .unwrap();
    let longer = BASE64_URL_SAFE_NO_PAD.encode([&[0], n.as_slice()].concat());
    assert_eq!(parse(&[with(rsa(), "n", json!(longer))]), parse(&[rsa()]));
}

#[test]
fn others_are_passed_over() {
    let encryption = with(rsa(), "use", json!("enc"));
    let keys = parse(&[encryption, json!("no key"), json!({ "kty": "AKP" }), p256()]).unwrap();
    assert_eq!(keys.len(), 1);
    let told: Vec<String> = keys.passed_over().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "key 1 is not for verifying signatures",
            "key 2 is not a JSON object",
            "key 3 is not an RSA, P-256 or Ed25519 key",
        ]
    );
}

#[test]
fn why_a_key_is_not_usable() {
    use Unusable::{Algorithm, Kind, Member, Purpose, Size};

    for (jwk, why) in [
        (with(rsa(), "use", json!("enc")), Purpose),
        (with(rsa(), "use", json!(5)), Member("use")),
        (with(rsa(), "key_ops", json!(["encrypt"])), Purpose),
        (with(rsa(), "key_ops", json!("verify")), Member("key_ops")),
        (with(rsa(), "kid", json!(1)), Member("kid")),
        (json!({}), Member("kty")),
        (with(rsa(), "alg", json!("PS256")), Algorithm),
        (with(rsa(), "alg", json!("ES256")), Algorithm),
        (with(rsa(), "alg", json!("none")), Algorithm),
        (with(rsa(), "n", json!("AQAB")), Size { bits: 17 }),
        (with(rsa(), "n", modulus(0x7f, 256)), Size { bits: 2_047 }),
        (with(rsa(), "n", modulus(0x01, 1_025)), Size { bits: 8_193 }),
        (with(rsa(), "n", json!("AAAA")), Size { bits: 0 }),
        (with(rsa(), "n", json!("ä")), Member("n")),
        (with(rsa(), "n", json!(null)), Member("n")),
        (with(rsa(), "e", json!("")), Member("e")),
        (with(rsa(), "e", json!("AQ")), Member("e")),
        (with(rsa(), "e", json!("Ag")), Member("e")),
        (with(rsa(), "e", json!("AAEAAQ")), Member("e")),
        (with(rsa(), "e", json!("AQAAAAE")), Member("e")),
        (with(p256(), "crv", json!("P-384")), Kind),
        (with(p256(), "crv", json!("secp256k1")), Kind),
        (with(p256(), "crv", json!("Ed25519")), Kind),
        (with(p256(), "x", json!("AQAB")), Member("x")),
        (with(p256(), "y", json!(null)), Member("y")),
        (with(ed25519(), "crv", json!("X25519")), Kind),
        (with(ed25519(), "crv", json!("Ed448")), Kind),
        (with(ed25519(), "x", json!("AQAB")), Member("x")),
    ] {
        let shown = jwk.to_string();
        assert_eq!(unusable(jwk), why, "{shown}");
    }
}

#[test]
fn secrets_are_refused_wherever_they_are() {
    for jwk in [
        with(ed25519(), "d", json!("c2VjcmV0")),
        with(rsa(), "qi", json!("c2VjcmV0")),
        // Also in a key that would be passed over.
        with(with(rsa(), "use", json!("enc")), "d", json!("c2VjcmV0")),
        json!({ "kty": "AKP", "priv": "c2VjcmV0" }),
    ] {
        let error = parse(&[p256(), jwk]).unwrap_err();
        assert_eq!(error, KeysError::PrivateKey { position: 2 });
        assert!(!format!("{error} {error:?}").contains("c2Vj"));
    }
    for jwk in [
        json!({ "kty": "oct", "k": "c2VjcmV0" }),
        json!({ "kty": "oct", "use": "enc" }),
        json!({ "k": "c2VjcmV0" }),
    ] {
        let error = parse(&[p256(), jwk]).unwrap_err();
        assert_eq!(error, KeysError::SymmetricKey { position: 2 });
        assert!(!format!("{error} {error:?}").contains("c2Vj"));
    }
}

#[test]
fn a_set_without_a_usable_key() {
    assert_eq!(
        parse(&[]).unwrap_err().to_string(),
        "has no key that can be used"
    );
    let error = parse(&[with(rsa(), "n", json!("AQAB")), json!({ "kty": "AKP" })]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "has no key that can be used: key 1 has 17 bits, and RSA keys need 2048 to 8192; \
         key 2 is not an RSA, P-256 or Ed25519 key"
    );
}

#[test]
fn what_is_no_set() {
    for (text, line, column) in [("", 1, 0), ("[]", 1, 0), ("{\n\"keys\": [", 2, 9)] {
        let error = Keys::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error, KeysError::NotJson { line, column }, "{text}");
    }
    let single = ed25519().to_string();
    for text in ["{}", r#"{"keys": {}}"#, single.as_str()] {
        let error = Keys::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error, KeysError::NotASet, "{text}");
    }
}

#[test]
fn a_bounded_number_of_keys_is_tried() {
    let many = vec![ed25519(); MAX_TRIED + 5];
    let keys = parse(&many).unwrap();
    assert_eq!(keys.len(), MAX_TRIED + 5);
    assert_eq!(keys.meant(Algorithm::Ed25519, None).count(), MAX_TRIED);
    assert_eq!(keys.meant(Algorithm::Ed25519, Some("e")).count(), MAX_TRIED);
}

#[test]
fn debug_shows_which_keys_there_are() {
    let text = format!("{:?}", parse(&[rsa()]).unwrap());
    assert!(
        text.contains(r#"id: Some("r"), algorithm: Rs256"#),
        "{text}"
    );
}
