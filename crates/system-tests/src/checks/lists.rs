//! A page shows the circles that the log came to at its sequence, in its order, from where the
//! page before ended.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::history::{Circle, History, Order, Page, Shown};
use crate::log::Log;

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let reads = history.reads.iter();
    let mut pages: Vec<(u64, &Page)> = reads
        .filter_map(|read| match &read.shown {
            Shown::Page(page) => Some((read.sequence?, page)),
            _ => None,
        })
        .collect();
    pages.sort_by_key(|(sequence, _)| *sequence);

    let mut events = log.events.iter().peekable();
    let mut circles: BTreeMap<&str, (&Circle, u64)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (sequence, page) in pages {
        while let Some(event) = events.next_if(|event| event.sequence <= sequence) {
            match &event.after {
                Some(circle) => {
                    let created = log.creation(&circle.id);
                    circles.insert(&circle.id, (circle, created));
                }
                None => drop(circles.remove(event.circle_id.as_str())),
            }
        }
        let expected = expected(page, circles.values().copied(), log);
        // A page with a filter may stop early, and then not know whether anything follows.
        let filtered = page.min_capacity.is_some();
        let full = page.size.min(expected.len());
        let shown = if filtered {
            page.circles.len().min(full)
        } else {
            full
        };
        let same = page.circles.iter().eq(expected[..shown].iter().copied());
        let left = shown < expected.len();
        let told = page.more == left || filtered && page.more;
        if !same || !told {
            wrong.push(format!("at {sequence} {page:?} should show {expected:?}"));
        }
    }
    wrong
}

/// What there is from the page's beginning on.
fn expected<'a>(
    page: &Page,
    circles: impl Iterator<Item = (&'a Circle, u64)>,
    log: &Log,
) -> Vec<&'a Circle> {
    let compare = |a: (&Circle, u64), b: (&Circle, u64)| {
        let ordering = compare(page.order, a, b);
        if page.descending {
            ordering.reverse()
        } else {
            ordering
        }
    };
    let after = page.after.as_ref();
    let after = after.map(|circle| (circle, log.creation(&circle.id)));
    let mut expected: Vec<(&Circle, u64)> = circles
        .filter(|(circle, _)| {
            page.min_capacity
                .is_none_or(|least| circle.capacity >= least)
        })
        .filter(|circle| after.is_none_or(|after| compare(*circle, after) == Ordering::Greater))
        .collect();
    expected.sort_by(|a, b| compare(*a, *b));
    expected.into_iter().map(|(circle, _)| circle).collect()
}

fn compare(
    order: Order,
    (a, created_a): (&Circle, u64),
    (b, created_b): (&Circle, u64),
) -> Ordering {
    let by_name = || (&a.name, &a.id).cmp(&(&b.name, &b.id));
    match order {
        Order::Name => by_name(),
        Order::Capacity => a.capacity.cmp(&b.capacity).then_with(by_name),
        Order::Creation => created_a.cmp(&created_b),
    }
}
