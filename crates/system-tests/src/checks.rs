//! What must hold of every history and its log, whatever was killed, stopped or cut off meanwhile.
//!
//! That the read models are what the log comes to in the end is for [`test_support::judge`].

mod acknowledged;
mod concurrency;
mod contiguous;
mod excuses;
mod lists;
mod outcomes;
mod reads;
mod refusals;
#[cfg(test)]
mod tests;
mod watches;

use crate::history::{Asked, History, Kind};
use crate::log::{Event, Log};

/// Says what does not hold, a line for each.
pub type Check = fn(&History, &Log) -> Vec<String>;

/// All checks by name.
pub const CHECKS: [(&str, Check); 9] = [
    ("acknowledged commands are in the log", acknowledged::check),
    ("unknown outcomes are all or nothing", outcomes::check),
    ("no holes", contiguous::check),
    ("optimistic concurrency in real time", concurrency::check),
    ("refusals were true", refusals::check),
    ("reads show the log", reads::check),
    ("lists show the log", lists::check),
    ("watches have no gap", watches::check),
    ("no failure without excuse", excuses::check),
];

/// What does not hold: the check, and what it says.
#[must_use]
pub fn complaints(history: &History, log: &Log) -> Vec<(&'static str, String)> {
    let checks = CHECKS.iter();
    checks
        .flat_map(|(name, check)| {
            check(history, log)
                .into_iter()
                .map(move |says| (*name, says))
        })
        .collect()
}

/// Whether an event does what was asked: it says nothing else, and what it does not say was so
/// before.
fn is_as_asked(event: &Event, asked: &Asked) -> bool {
    let named = asked.circle_id().is_none_or(|id| id == event.circle_id);
    let does = match (asked, event.kind) {
        (Asked::Create { name, capacity, .. }, Kind::Created) => {
            event.name.as_ref() == Some(name) && event.capacity == Some(*capacity)
        }
        (Asked::Update { name, capacity, .. }, Kind::Updated) => {
            let only = |said: bool, asked: bool| !said || asked;
            only(event.name.is_some(), name.is_some())
                && only(event.capacity.is_some(), capacity.is_some())
                && has_become(event, asked)
        }
        (Asked::Delete { reason, .. }, Kind::Deleted) => event.reason == *reason,
        _ => false,
    };
    named && does
}

/// Whether the circle is after an event as an update wants it.
fn has_become(event: &Event, asked: &Asked) -> bool {
    let Some(circle) = &event.after else {
        return false;
    };
    let Asked::Update {
        circle_id,
        name,
        capacity,
        ..
    } = asked
    else {
        return false;
    };
    *circle_id == circle.id
        && name.as_ref().is_none_or(|name| *name == circle.name)
        && capacity.is_none_or(|capacity| capacity == circle.capacity)
}
