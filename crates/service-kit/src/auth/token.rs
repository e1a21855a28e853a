//! A token as it comes in: three pieces of base64 with dots between (a JWS, RFC 7515), of which one is a signature.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};
use tonic::codegen::http::HeaderMap;
use tonic::codegen::http::header::AUTHORIZATION;

use super::keys::Keys;
use super::{Refusal, key::Algorithm};

/// Longer ones are not looked at. Common ones have 1 to 2 KiB.
const MAX_LENGTH: usize = 8 * 1_024;

/// The bearer token of a call (RFC 6750, 2.1), not yet verified.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    if values.next().is_some() {
        // Whoever stands before us may have looked at the other one.
        return Err(Refusal::Malformed);
    }
    let value = value.to_str().map_err(|_| Refusal::Malformed)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let token = token.trim_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Refusal::Missing);
    }
    if token.len() > MAX_LENGTH {
        return Err(Refusal::TooLong);
    }
    Ok(token)
}

/// What the header of a token says that we heed. The rest (`jwk`, `jku`, `x5u`: keys that a token brings along) is not
/// for us: we trust our own keys alone.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    #[serde(default, deserialize_with = "there")]
    crit: bool,
}

/// The payload of the token, if one of the keys signed it. All of this is public, so nothing has to take constant time.
pub(super) fn signed<T: DeserializeOwned>(token: &str, keys: &Keys) -> Result<T, Refusal> {
    let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
    let (header, payload) = message.split_once('.').ok_or(Refusal::Malformed)?;
    if payload.contains('.') {
        // Five pieces are an encrypted token.
        return Err(Refusal::Malformed);
    }
    let header: Header = json(header).ok_or(Refusal::Malformed)?;
    if header.crit {
        return Err(Refusal::Extensions);
    }
    if !header.typ.as_deref().is_none_or(is_access_token) {
        return Err(Refusal::NotAccess);
    }
    let algorithm = Algorithm::named(&header.alg).ok_or(Refusal::Algorithm)?;
    let signature = decoded(signature).ok_or(Refusal::Malformed)?;

    let mut known = false;
    for key in keys.meant(algorithm, header.kid.as_deref()) {
        known = true;
        if key.verifies(message.as_bytes(), &signature) {
            return json(payload).ok_or(Refusal::Claims);
        }
    }
    Err(if known {
        Refusal::Signature
    } else {
        Refusal::UnknownKey
    })
}

/// An issuer signs other things with the same keys: events, logouts, proofs of possession. Each has a type of its own,
/// so that none passes for another (RFC 8725, 3.11). Most issuers still write `JWT` for an access token.
fn is_access_token(typ: &str) -> bool {
    let typ = typ
        .split_at_checked("application/".len())
        .filter(|(start, _)| start.eq_ignore_ascii_case("application/"))
        .map_or(typ, |(_, rest)| rest);
    typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("jwt")
}

fn json<T: DeserializeOwned>(piece: &str) -> Option<T> {
    let bytes = decoded(piece)?;
    // Serde would also take an array of the values.
    let object = bytes.trim_ascii_start().starts_with(b"{");
    object.then(|| serde_json::from_slice(&bytes).ok())?
}

/// Without padding, and without spare bits: there is one text only for the same bytes.
fn decoded(piece: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(piece).ok()
}

/// Any value counts, also null.
fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "token_properties.rs"]
mod properties;
