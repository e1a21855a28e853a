//! Where the keys are, and what a token has to say.

use std::convert::Infallible;
use std::path::PathBuf;

use crate::config::{Invalid, Reader, parse};

/// The path of a JWK Set. Without it nobody is asked for a token.
const KEYS: &str = "CIRCLES_JWT_KEYS";
/// The `iss` of every token.
const ISSUER: &str = "CIRCLES_JWT_ISSUER";
/// What every token names in its `aud`.
const AUDIENCE: &str = "CIRCLES_JWT_AUDIENCE";

/// How tokens are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The file with the JWK Set of the issuer.
    pub keys: PathBuf,
    /// The `iss` that a token must have. Without it any will do, or none: whoever signs with one of the keys is
    /// believed.
    pub issuer: Option<String>,
    /// What a token must name in its `aud`. Without it a token that the issuer made for another service is good here
    /// too.
    pub audience: Option<String>,
}

impl Options {
    /// Reads `CIRCLES_JWT_KEYS`, `CIRCLES_JWT_ISSUER` and `CIRCLES_JWT_AUDIENCE`. Nothing where the first is not set.
    ///
    /// The file is not read here.
    ///
    /// # Errors
    /// When one of the others is set without it: whoever did that believes that tokens are verified.
    pub fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, Invalid> {
        let keys = reader.optional(KEYS, |path| Ok::<_, Infallible>(PathBuf::from(path)));
        let issuer = reader.optional(ISSUER, parse::text);
        let audience = reader.optional(AUDIENCE, parse::text);
        let (keys, issuer, audience) = (keys?, issuer?, audience?);
        let Some(keys) = keys else {
            let useless = [(ISSUER, issuer), (AUDIENCE, audience)]
                .into_iter()
                .filter(|(_, value)| value.is_some())
                .map(|(name, _)| reader.reject(name, &format!("must not be set without {KEYS}")))
                .last();
            return useless.map_or(Ok(None), Err);
        };
        Ok(Some(Self {
            keys,
            issuer,
            audience,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config;

    fn read<const N: usize>(variables: [(&str, &str); N]) -> Result<Option<Options>, String> {
        config::read(&BTreeMap::from(variables), Options::read).map_err(|error| error.to_string())
    }

    #[test]
    fn off_unless_there_are_keys() {
        assert_eq!(read([]), Ok(None));
        assert_eq!(read([(KEYS, "")]), Ok(None));
    }

    #[test]
    fn issuer_and_audience_may_be_left_out() {
        let keys = PathBuf::from("/etc/circles/jwks.json");
        let expected = Options {
            keys,
            issuer: None,
            audience: None,
        };
        assert_eq!(
            read([(KEYS, "/etc/circles/jwks.json")]),
            Ok(Some(expected.clone()))
        );
        let expected = Options {
            issuer: Some("https://issuer.example".to_owned()),
            audience: Some("circles".to_owned()),
            ..expected
        };
        assert_eq!(
            read([
                (KEYS, "/etc/circles/jwks.json"),
                (ISSUER, "https://issuer.example"),
                (AUDIENCE, "circles")
            ]),
            Ok(Some(expected))
        );
    }

    #[test]
    fn nobody_believes_that_tokens_are_verified_when_they_are_not() {
        assert_eq!(
            read([(ISSUER, "https://issuer.example"), (AUDIENCE, "circles")]),
            Err(
                "CIRCLES_JWT_ISSUER: must not be set without CIRCLES_JWT_KEYS\n\
                 CIRCLES_JWT_AUDIENCE: must not be set without CIRCLES_JWT_KEYS"
                    .to_owned()
            )
        );
    }
}
