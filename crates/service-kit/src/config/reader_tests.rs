use std::{collections::BTreeMap, ffi::OsString, io::Write, os::unix::ffi::OsStringExt};

use super::*;
use crate::config::{Secret, parse};

type Variables = BTreeMap<&'static str, String>;

fn given<const N: usize>(variables: [(&'static str, &str); N]) -> Variables {
    variables
        .map(|(name, value)| (name, value.to_owned()))
        .into()
}

fn lines<T: std::fmt::Debug>(result: Result<T, ConfigErrors>) -> Vec<String> {
    result
        .unwrap_err()
        .to_string()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn all_mistakes_are_reported_in_one_go() {
    let source = given([
        ("A", "x"),
        ("C", "maybe"),
        ("D", ""),
        ("OK", "5s"),
        ("S", "pass\nword"),
    ]);
    let result = read(&source, |reader| {
        let a = reader.required("A", parse::address);
        let b = reader.required("B", parse::text);
        let c = reader.or("C", parse::boolean, true);
        let d = reader.required("D", parse::duration);
        let ok = reader.required("OK", parse::duration);
        let s = reader.secret("S", |_| Err::<(), _>("must be\ngood"));
        let t = reader.secret("T", Secret::parse);
        Ok((a?, b?, c?, d?, ok?, s?, t?))
    });
    assert_eq!(
        lines(result),
        [
            "A: must be an IP address and a port such as 127.0.0.1:50051 or [::]:50051, not \"x\"",
            "B: must be set",
            "C: must be true or false, not \"maybe\"",
            "D: must be set",
            "S: must be good",
            "T: must be set, or T_FILE in its place",
        ]
    );
}

#[test]
fn set_but_empty_counts_as_unset() {
    let source = given([("A", ""), ("B", ""), ("S", ""), ("S_FILE", "")]);
    let (a, b, s) = read(&source, |reader| {
        let a = reader.or("A", parse::integer(1..=9u64), 7);
        let b = reader.optional("B", parse::text);
        let s = reader.optional_secret("S", Secret::parse);
        Ok((a?, b?, s?))
    })
    .unwrap();
    assert_eq!((a, b, s), (7, None, None));
}

#[test]
fn a_mistake_counts_even_when_its_result_is_dropped() {
    let source = given([("A", "no")]);
    let result = read(&source, |reader| {
        drop(reader.optional("A", parse::duration));
        Ok(())
    });
    assert_eq!(lines(result).len(), 1);
}

#[test]
fn a_value_that_is_not_text_is_refused() {
    struct Bytes;
    impl Source for Bytes {
        fn get(&self, _: &str) -> Option<OsString> {
            Some(OsString::from_vec(vec![0xff]))
        }
    }
    let result = read(&Bytes, |reader| reader.required("A", parse::text));
    assert_eq!(lines(result), ["A: must be valid UTF-8"]);
}

#[test]
fn a_secret_may_come_from_a_file() {
    let path = std::env::temp_dir().join(format!("service-kit-secret-{}", std::process::id()));
    let path = path.to_str().unwrap();
    let read_with = |content: &str, source: &Variables| {
        std::fs::File::create(path)
            .unwrap()
            .write_all(content.as_bytes())
            .unwrap();
        read(source, |reader| reader.secret("S", Secret::parse))
    };

    let file = given([("S_FILE", path)]);
    assert_eq!(
        read_with("two words \r\n\n", &file).unwrap().expose(),
        "two words "
    );
    assert_eq!(
        lines(read_with("\n", &file)),
        ["S_FILE: must name a file that is not empty"]
    );

    let both = given([("S", "hunter2"), ("S_FILE", path)]);
    assert_eq!(
        lines(read_with("x", &both)),
        ["S: must not be set together with S_FILE"]
    );

    let refused = read(&file, |reader| {
        reader.secret("S", |_| Err::<(), _>("must be longer"))
    });
    assert_eq!(lines(refused), ["S_FILE: must be longer"]);

    std::fs::remove_file(path).unwrap();
    let missing = lines(read(&file, |reader| reader.secret("S", Secret::parse)));
    assert!(
        missing[0].starts_with("S_FILE: must name a readable text file ("),
        "{missing:?}"
    );
}

#[test]
fn a_secret_in_the_place_of_a_file_name_is_not_told() {
    let source = given([("S_FILE", "mysql://me:hunter2@localhost")]);
    let told = lines(read(&source, |reader| reader.secret("S", Secret::parse)));
    assert!(!told[0].contains("hunter2"), "{told:?}");
}
