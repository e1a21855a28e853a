//! Files of certificates and keys are taken or refused, without a word of what they say.

use std::sync::OnceLock;

use fuzz_support::bytes;
use proptest::prelude::*;
use test_support::certificates::Authority;

use super::*;

/// A certificate, its key, and the certificate of the authority.
fn samples() -> &'static [String; 3] {
    static SAMPLES: OnceLock<[String; 3]> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let authority = Authority::new();
        let issued = authority.issue("localhost", &[]);
        [issued.certificate, issued.key, authority.certificate()]
    })
}

/// One of them, whole or damaged, or another one.
fn files(which: usize) -> impl Strategy<Value = Vec<u8>> {
    let sound = &samples()[which];
    let one_line = |sound: &str| sound.replace('\n', "");
    prop_oneof![
        2 => Just(sound.clone().into_bytes()),
        2 => bytes([sound.clone(), one_line(sound)]),
        1 => bytes(samples().iter().cloned()),
    ]
}

/// Whether any six bytes of the key stand in it, as text or as a list of numbers.
fn tells_the_key(text: &str) -> bool {
    samples()[1].lines().nth(1).is_some_and(|key| {
        key.as_bytes().windows(6).any(|piece| {
            let numbers = piece.iter().map(u8::to_string).collect::<Vec<_>>();
            let piece = String::from_utf8_lossy(piece);
            text.contains(&*piece) || text.contains(&numbers.join(", "))
        })
    })
}

proptest! {
    #[test]
    fn certificates_and_keys_survive_any_bytes(
        certificate in files(0),
        key in files(1),
        authorities in proptest::option::of(files(2)),
    ) {
        let mut contents = vec![certificate, key];
        contents.extend(authorities);
        match server_config(&contents) {
            Ok(config) => prop_assert_eq!(config.alpn_protocols, [b"h2"]),
            Err(error) => {
                let told = format!("{} {error:?}", chain(&error));
                prop_assert!(told.len() < 500, "{told}");
                prop_assert!(!tells_the_key(&told), "{told}");
            }
        }
    }
}

#[test]
fn a_key_that_lost_its_line_breaks_is_not_told() {
    let [certificate, key, _] = samples().clone();
    let one_line = key.replace('\n', " ");
    for key in [one_line.clone(), format!("{one_line}\"")] {
        let refused = server_config(&vec![certificate.clone().into_bytes(), key.into_bytes()]);
        let error = refused.unwrap_err();
        assert!(
            matches!(error, TlsError::Key(PemError::Boundary)),
            "{error:?}"
        );
        assert!(!tells_the_key(&format!("{} {error:?}", chain(&error))));
    }
}
