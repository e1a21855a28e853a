//! What a watcher saw against the log.

use std::collections::BTreeMap;

use super::fold::Fold;
use super::log;
use super::options::Options;
use crate::mysql::Database;

/// The documents of the circles that there are, by the circles' ids.
pub type Documents = BTreeMap<String, String>;

/// What the log comes to.
///
/// # Panics
///
/// As [`super::differences`].
pub async fn expected_documents(log: &Database, options: &Options) -> Documents {
    let fold = Fold::of(log::read_log(log).await, options);
    let circles = fold.circles.iter();
    circles
        .filter_map(|(id, circle)| Some((id.clone(), circle.document(id)?)))
        .collect()
}

/// What whoever watched from the log's start has in the end: of each change the sequence, the
/// circle, and its document, none where it is gone.
///
/// # Errors
///
/// Says where a sequence is below the one before.
pub fn replay_changes(
    seen: impl IntoIterator<Item = (u64, String, Option<String>)>,
) -> Result<Documents, String> {
    replay_changes_onto(Documents::new(), seen)
}

/// The same for whoever had a list before.
///
/// # Errors
///
/// As [`replay_changes`].
pub fn replay_changes_onto(
    mut documents: Documents,
    seen: impl IntoIterator<Item = (u64, String, Option<String>)>,
) -> Result<Documents, String> {
    let mut last = 0;
    for (sequence, circle_id, document) in seen {
        if sequence < last {
            return Err(format!("{sequence} came after {last}"));
        }
        last = sequence;
        match document {
            Some(document) => documents.insert(circle_id, document),
            None => documents.remove(&circle_id),
        };
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(sequence: u64, id: &str, document: Option<&str>) -> (u64, String, Option<String>) {
        (sequence, id.to_owned(), document.map(str::to_owned))
    }

    #[test]
    fn the_last_change_of_each_circle_counts() {
        let seen = [
            change(1, "a", Some("1")),
            change(2, "b", Some("2")),
            change(3, "a", None),
            change(4, "c", Some("4")),
            // A correction.
            change(4, "b", Some("5")),
        ];
        let documents = replay_changes(seen.clone()).unwrap();
        assert_eq!(documents, expected(&[("b", "5"), ("c", "4")]));
        let list = expected(&[("a", "0"), ("d", "0")]);
        let documents = replay_changes_onto(list, seen).unwrap();
        assert_eq!(documents, expected(&[("b", "5"), ("c", "4"), ("d", "0")]));
    }

    #[test]
    fn changes_come_in_order() {
        let seen = [change(2, "a", None), change(1, "b", None)];
        assert!(replay_changes(seen).is_err());
    }

    fn expected(documents: &[(&str, &str)]) -> Documents {
        let own = |(id, text): &(&str, &str)| ((*id).to_owned(), (*text).to_owned());
        documents.iter().map(own).collect()
    }
}
