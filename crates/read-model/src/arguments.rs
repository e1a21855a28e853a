//! Values as the arguments of scripts.

use fred::types::Value;
use shared_domain::Version;

use crate::batch::{Change, Repair};
use crate::document::Document;
use crate::history::HistoryEntry;
use crate::keys;
use crate::standing::{Phase, Standing};

/// The values of checkpoint, building and revision.
pub(crate) fn marks(standing: Option<&Standing>) -> [Value; 3] {
    let Some(standing) = standing else {
        return [none(), none(), none()];
    };
    let checkpoint = Value::from(standing.checkpoint.encode());
    let revision = match standing.revision {
        0 => none(),
        revision => text(revision),
    };
    match standing.phase {
        Phase::Live => [checkpoint, none(), revision],
        Phase::Building => [none(), checkpoint, revision],
    }
}

/// How long a history is, and that.
pub(crate) fn push_history(arguments: &mut Vec<Value>, history: &[HistoryEntry]) {
    arguments.push(count_of(history.len()));
    arguments.extend(history.iter().map(|entry| Value::from(entry.encode())));
}

/// A circle's id, document, score by create time, and members by name and by
/// capacity.
pub(crate) fn shown(circle: &Repair) -> [Value; 5] {
    let document = circle.document.as_ref();
    [
        text(circle.id),
        encoded(document, Document::encode),
        text(circle.created),
        encoded(document, keys::by_name_member),
        encoded(document, keys::by_capacity_member),
    ]
}

/// The event that parks a circle.
pub(crate) fn parked(circle: &Repair) -> Value {
    let event = circle.parked.as_ref();
    event.map_or_else(none, |event| event.encode().into())
}

pub(crate) fn push_change(arguments: &mut Vec<Value>, change: &Change) {
    arguments.push(i64::from(change.base.map_or(0, Version::get)).into());
    push_history(arguments, &change.history);
    let (before, after) = (change.before.as_ref(), change.after.as_ref());
    arguments.extend([
        encoded(after, Document::encode),
        change.created.map_or_else(none, text),
        encoded(before, keys::by_name_member),
        encoded(before, keys::by_capacity_member),
        encoded(after, keys::by_name_member),
        encoded(after, keys::by_capacity_member),
    ]);
}

fn encoded(document: Option<&Document>, encode: fn(&Document) -> String) -> Value {
    document.map_or_else(none, |document| encode(document).into())
}

pub(crate) fn none() -> Value {
    Value::from_static_str("")
}

pub(crate) fn text(value: impl ToString) -> Value {
    value.to_string().into()
}

pub(crate) fn count_of(count: usize) -> Value {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}
