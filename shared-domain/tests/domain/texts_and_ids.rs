//! Names, reasons and ids: what is taken, in what form, and what is refused.

use serde_json::{Value, from_value, json, to_value};
use shared_domain::{CircleId, CircleName, DeletionReason, EventId, InvalidId, InvalidText};
use uuid::Uuid;

use crate::examples::{name, reason};

const CANONICAL: &str = "0190a6e4-5c1b-7def-8a90-b1c2d3e4f506";

#[test]
fn a_name_is_trimmed_and_normalized() {
    assert_eq!(name("  football\n").as_str(), "football");
    assert_eq!(name("\u{3000}将棋\u{a0}").as_str(), "将棋");
    assert_eq!(name("cafe\u{301}").as_str(), "caf\u{e9}");
    // Form C, not KC: what only looks alike stays what it is.
    assert_eq!(name("Ｋｏ①ﬁ").as_str(), "Ｋｏ①ﬁ");
    // A normal form can itself be white space.
    assert_eq!(name("\u{2000}football").as_str(), "football");
    assert_eq!(name("chess club").to_string(), "chess club");
    assert_eq!(format!("{:>10}", name("chess")), "     chess");
}

#[test]
fn a_name_has_1_to_100_characters_counted_in_its_normal_form() {
    for empty in ["", "   ", "\t\r\n", "\u{3000}"] {
        assert_eq!(
            CircleName::new(empty),
            Err(InvalidText::Empty { what: "name" })
        );
    }
    assert_eq!(name("x").as_str(), "x");
    assert_eq!(name(&"棋".repeat(100)).as_str().chars().count(), 100);
    assert_eq!(name(&"e\u{301}".repeat(100)).as_str().chars().count(), 100);
    assert_eq!(name(&format!(" {} ", "x".repeat(100))).as_str().len(), 100);

    let refused = CircleName::new(&"棋".repeat(101));
    assert_eq!(
        refused,
        Err(InvalidText::TooLong {
            what: "name",
            characters: 101,
            max: 100,
        }),
    );
    assert_eq!(
        refused.map_err(|error| error.to_string()),
        Err("a name has at most 100 characters, this one has 101".to_owned()),
    );
}

#[test]
fn a_name_has_no_control_characters() {
    for text in [
        "foot\nball",
        "foot\tball",
        "foot\0ball",
        "foot\u{85}ball",
        "\u{7f}",
        "x\u{1b}[31m",
    ] {
        assert_eq!(
            CircleName::new(text),
            Err(InvalidText::ControlCharacter { what: "name" }),
            "{text:?}"
        );
    }
}

#[test]
fn names_order_by_code_points() {
    let mut names = ["b", "a", "é", "Z", "将"].map(name);
    names.sort();
    assert_eq!(names, ["Z", "a", "b", "é", "将"].map(name));
}

#[test]
fn a_reason_follows_the_same_rules_with_500_characters() {
    assert_eq!(reason(" nobody came ").as_str(), "nobody came");
    assert_eq!(reason("cafe\u{301}").to_string(), "caf\u{e9}");
    assert_eq!(reason(&"x".repeat(500)).as_str().len(), 500);
    assert_eq!(
        DeletionReason::new(" \n "),
        Err(InvalidText::Empty { what: "reason" })
    );
    assert_eq!(
        DeletionReason::new("a\nb"),
        Err(InvalidText::ControlCharacter { what: "reason" })
    );
    assert_eq!(
        DeletionReason::new(&"x".repeat(501)),
        Err(InvalidText::TooLong {
            what: "reason",
            characters: 501,
            max: 500,
        }),
    );
}

#[test]
fn texts_are_json_strings_under_the_same_rules() {
    assert_eq!(to_value(name("将棋 \"A\"")).unwrap(), json!("将棋 \"A\""));
    assert_eq!(
        from_value::<CircleName>(json!(" chess ")).unwrap(),
        name("chess")
    );
    for bad in [
        json!(""),
        json!("a\nb"),
        json!("x".repeat(101)),
        json!(7),
        Value::Null,
    ] {
        assert!(from_value::<CircleName>(bad.clone()).is_err(), "{bad}");
    }
    assert_eq!(
        from_value::<DeletionReason>(json!("why")).unwrap(),
        reason("why")
    );
    assert!(from_value::<DeletionReason>(json!("x".repeat(501))).is_err());
}

#[test]
fn an_id_is_read_and_shown_in_its_canonical_form() {
    let id = CircleId::parse(CANONICAL).unwrap();
    assert_eq!(id.to_string(), CANONICAL);
    assert_eq!(id, CircleId::from_uuid(Uuid::parse_str(CANONICAL).unwrap()));
    assert_eq!(CANONICAL.parse(), Ok(id));
    assert_eq!(to_value(id).unwrap(), json!(CANONICAL));
    assert_eq!(from_value::<CircleId>(json!(CANONICAL)).unwrap(), id);
    assert_eq!(EventId::parse(CANONICAL).unwrap().as_uuid(), id.as_uuid());
}

#[test]
fn no_other_spelling_of_an_id_is_read() {
    let simple = CANONICAL.replace('-', "");
    for text in [
        "",
        "football",
        &simple,
        &CANONICAL.to_uppercase(),
        &CANONICAL.replacen('a', "A", 1),
        &format!("{{{CANONICAL}}}"),
        &format!("urn:uuid:{CANONICAL}"),
        &format!(" {CANONICAL}"),
        &format!("{CANONICAL}\n"),
        &CANONICAL[..35],
        &CANONICAL.replacen('-', "0", 1),
        &CANONICAL.replacen('0', "g", 1),
        // 36 characters of which one is not of one byte, and 36 bytes.
        &CANONICAL.replacen('0', "é", 1),
        &CANONICAL.replacen("01", "é", 1),
        &format!("{simple}----"),
        // 36 bytes as well: the braced form without hyphens would have 34.
        &format!("{{{}}}", &CANONICAL[..34]),
    ] {
        assert_eq!(CircleId::parse(text), Err(InvalidId), "{text:?}");
        assert_eq!(EventId::parse(text), Err(InvalidId), "{text:?}");
        assert!(from_value::<CircleId>(json!(text)).is_err(), "{text:?}");
    }
    assert!(from_value::<CircleId>(json!(7)).is_err());
}
