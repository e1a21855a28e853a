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
