use super::*;

fn change(sequence: u64, id: &str, document: Option<&str>) -> Change {
    Change {
        sequence,
        is_correction: false,
        circle_id: id.to_owned(),
        document: document.map(str::to_owned),
    }
}

fn correction(sequence: u64, id: &str, document: Option<&str>) -> Change {
    Change {
        is_correction: true,
        ..change(sequence, id, document)
    }
}

fn documents(of: &[(&str, &str)]) -> Documents {
    let own = |(id, text): &(&str, &str)| ((*id).to_owned(), (*text).to_owned());
    of.iter().map(own).collect()
}

/// After a list as of event 2.
fn told(changes: impl IntoIterator<Item = Change>) -> Result<Seen, String> {
    let mut seen = Seen {
        documents: documents(&[("a", "0"), ("d", "0")]),
        sequence: 2,
    };
    for change in changes {
        seen.take(change)?;
    }
    Ok(seen)
}

#[test]
fn the_last_change_of_each_circle_counts() {
    let seen = told([
        change(3, "a", None),
        change(4, "b", Some("4")),
        change(5, "c", Some("5")),
    ]);
    let seen = seen.unwrap();
    let expected = documents(&[("b", "4"), ("c", "5"), ("d", "0")]);
    assert_eq!((seen.documents, seen.sequence), (expected, 5));
}

#[test]
fn a_change_out_of_order_is_found() {
    // The first one, between others, and the last one.
    assert!(told([change(1, "b", Some("1"))]).is_err());
    assert!(told([change(4, "b", Some("4")), change(3, "c", Some("3"))]).is_err());
    let last = [
        change(3, "a", None),
        change(5, "b", None),
        change(4, "a", None),
    ];
    assert!(told(last).is_err());
    // A correction does not hide it.
    let corrected = [correction(5, "a", None), change(4, "b", None)];
    assert!(told(corrected).is_err());
}

#[test]
fn sequences_repeat_and_go_back_where_they_may() {
    // After an interruption, and of corrections.
    let seen = told([
        change(3, "b", Some("3")),
        change(3, "b", Some("3")),
        correction(3, "a", Some("1")),
        correction(3, "d", None),
    ]);
    let expected = documents(&[("a", "1"), ("b", "3")]);
    assert_eq!(seen.unwrap().documents, expected);
    // The log lost events 4 and 5, and has others there now.
    let seen = told([
        change(4, "b", Some("4")),
        change(5, "d", None),
        correction(3, "b", None),
        correction(3, "d", Some("0")),
        change(4, "c", Some("new 4")),
    ]);
    let seen = seen.unwrap();
    let expected = documents(&[("a", "0"), ("c", "new 4"), ("d", "0")]);
    assert_eq!((seen.documents, seen.sequence), (expected, 4));
}
