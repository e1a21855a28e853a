//! A query shows what the log came to at the sequence that it answers with: not before its
//! `min_sequence`, nor before what anybody had seen, nor after what can have been.

use crate::evidence::{Possible, Proof};
use crate::history::{Circle, Entry, History, Read, Shown};
use crate::log::{Event, Log};

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let proof = Proof::of_queries(history);
    let possible = Possible::of(history, log);
    let reads = history.reads.iter();
    reads
        .filter_map(|read| {
            let least = proof
                .before(read.invoked)
                .max(read.min_sequence.unwrap_or_default());
            let most = possible.before(read.returned);
            let what = wrong(read, least, most, log)?;
            Some(format!("{what} ({least} to {most}): {read:?}"))
        })
        .collect()
}

fn wrong(read: &Read, least: u64, most: u64, log: &Log) -> Option<&'static str> {
    let Some(sequence) = read.sequence else {
        let missing = is_missing(&read.shown, least, most, log);
        return (!missing).then_some("it was there all the time");
    };
    if sequence < least {
        return Some("it shows the past");
    }
    if sequence > most {
        return Some("it shows the future");
    }
    let shows = match &read.shown {
        Shown::Circles(circles) => circles
            .iter()
            .all(|(id, circle)| circle.as_ref() == at(log, id, sequence)),
        Shown::Past {
            circle_id,
            descending,
            size,
            entries,
            more,
        } => {
            let mut expected: Vec<Entry> = log
                .of_circle(circle_id)
                .filter(|event| event.sequence <= sequence)
                .map(entry)
                .collect();
            if *descending {
                expected.reverse();
            }
            let shown = (*size).min(expected.len());
            *entries == expected[..shown] && *more == (shown < expected.len())
        }
        // That is another check's.
        Shown::Page(_) => true,
    };
    (!shows).then_some("it shows something else")
}

fn at<'a>(log: &'a Log, circle_id: &str, sequence: u64) -> Option<&'a Circle> {
    log.latest_at(circle_id, sequence)?.after.as_ref()
}

/// Whether a circle that was not found was not there at some end of the log between these.
fn is_missing(shown: &Shown, least: u64, most: u64, log: &Log) -> bool {
    let (circle_id, deleted) = match shown {
        Shown::Circles(circles) => match circles.as_slice() {
            [(id, None)] => (id, true),
            _ => return false,
        },
        // What is deleted still has a past.
        Shown::Past { circle_id, .. } => (circle_id, false),
        Shown::Page(_) => return false,
    };
    let mut events = log.of_circle(circle_id);
    least < log.creation(circle_id)
        || deleted && events.any(|event| event.after.is_none() && event.sequence <= most)
}

/// As a history should show it.
fn entry(event: &Event) -> Entry {
    let name = |circle: &Option<Circle>| circle.as_ref().map(|circle| circle.name.clone());
    let capacity = |circle: &Option<Circle>| circle.as_ref().map(|circle| circle.capacity);
    Entry {
        version: event.version,
        kind: event.kind,
        name: changed(name(&event.before), name(&event.after)),
        capacity: changed(capacity(&event.before), capacity(&event.after)),
        sequence: event.sequence,
        reason: event.reason.clone().unwrap_or_default(),
    }
}

fn changed<T: PartialEq>(before: Option<T>, after: Option<T>) -> (Option<T>, Option<T>) {
    if before == after {
        (None, None)
    } else {
        (before, after)
    }
}
