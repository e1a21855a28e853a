//! Where the keys are, and what a token has to say.

use std::path::PathBuf;

use super::gate::load;
use crate::config::{Invalid, Reader, parse};
use crate::program::chain;

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
    /// # Errors
    /// When the file is not what it should be, or one of the others is set without it: whoever did that believes that
    /// tokens are verified.
    pub fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, Invalid> {
        let keys = reader.optional(KEYS, parse::path);
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
        let options = Self {
            keys,
            issuer,
            audience,
        };
        match load(&options) {
            Ok(_) => Ok(Some(options)),
            Err(error) => Err(reader.reject(KEYS, &chain(&error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::{env, fs, process};

    use test_support::tokens::Issuer;

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
        let file = temporary("jwks", &Issuer::ed25519("1").jwks());
        let path = file.to_str().unwrap();
        let expected = Options {
            keys: file.clone(),
            issuer: None,
            audience: None,
        };
        assert_eq!(read([(KEYS, path)]), Ok(Some(expected.clone())));
        let expected = Options {
            issuer: Some("https://issuer.example".to_owned()),
            audience: Some("circles".to_owned()),
            ..expected
        };
        assert_eq!(
            read([
                (KEYS, path),
                (ISSUER, "https://issuer.example"),
                (AUDIENCE, "circles")
            ]),
            Ok(Some(expected))
        );
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn keys_that_are_none_are_found_before_anything_starts() {
        let file = temporary("no-jwks", "{}");
        for path in [file.to_str().unwrap(), "/nowhere/jwks.json"] {
            let mistake = read([(KEYS, path)]).unwrap_err();
            assert!(mistake.starts_with("CIRCLES_JWT_KEYS: "), "{mistake}");
        }
        fs::remove_file(file).unwrap();
    }

    fn temporary(name: &str, text: &str) -> PathBuf {
        let path = env::temp_dir().join(format!("circles-{name}-{}", process::id()));
        fs::write(&path, text).unwrap();
        path
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
