//! Sequences are 1, 2, 3, and so are the versions of each circle.

use std::collections::HashMap;

use crate::history::History;
use crate::log::Log;

pub(super) fn check(_: &History, log: &Log) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut versions: HashMap<&str, i32> = HashMap::new();
    for (place, event) in (1..).zip(&log.events) {
        if event.sequence != place {
            wrong.push(format!(
                "event {} is the {place}. of the log",
                event.sequence
            ));
        }
        let version = versions.entry(&event.circle_id).or_default();
        *version += 1;
        if event.version != *version {
            wrong.push(format!("{event:?} is the {version}. of its circle"));
        }
    }
    wrong
}
