//! Lists of circles, by pages.

use std::cmp::Reverse;

use fred::bytes::Bytes;
use fred::types::Value;
use shared_domain::Sequence;

use crate::document::Document;
use crate::error::{Corruption, Error};
use crate::keys::{self, Keys};
use crate::position::{Place, Position};

/// How many circles one page looks at in each partition, if it is not to have
/// more, so that a filter that few circles meet can't keep Redis busy for long.
pub const SCAN_LIMIT: u32 = 150;

/// Sorts behind everything that continues a text with the same beginning: no
/// UTF-8 has this byte.
const LAST: u8 = 0xff;

/// A capacity that is above all.
const MOST: i32 = 99_999;

/// What a list is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// By name in the order of code points, then by id.
    Name,
    /// By capacity, then name, then id.
    Capacity,
    /// By the sequence of the creation.
    CreateTime,
}

/// Which page of which list. A circle is listed if it meets every condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// The order.
    pub order: Order,
    /// Whether the order is reversed.
    pub descending: bool,
    /// The name begins with this text, byte for byte. Names are in Unicode
    /// normalization form C; a prefix in another form finds other circles.
    pub name_prefix: String,
    /// The capacity is at least this; any number makes sense.
    pub min_capacity: Option<i32>,
    /// The capacity is at most this; any number makes sense.
    pub max_capacity: Option<i32>,
    /// The page begins behind this position of the same list, not at the
    /// list's beginning.
    pub after: Option<Position>,
    /// How many circles the page has at most, taken as 1 where it is 0. Up to
    /// 1,000 is reasonable.
    pub limit: u32,
}

impl ListQuery {
    /// The first page of all circles.
    #[must_use]
    pub const fn new(order: Order, limit: u32) -> Self {
        Self {
            order,
            descending: false,
            name_prefix: String::new(),
            min_capacity: None,
            max_capacity: None,
            after: None,
            limit,
        }
    }

    /// The same list in the reverse order.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }
}

/// One page of a list, as of one moment of each partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The circles in their order. Fewer than asked for, or none, where the
    /// filter passes few and [`SCAN_LIMIT`] was reached.
    pub documents: Vec<Document>,
    /// Where the next page goes on; none after the last page.
    pub next: Option<Position>,
    /// How far the read model had come.
    pub sequence: Sequence,
}

/// A list query in the words of Redis.
pub(crate) enum Walk {
    /// The page is a stretch of the order's index; the arguments of page.lua.
    Stretch(Vec<Value>),
    /// The circles have to be looked at; the arguments of filter.lua.
    Filter(Vec<Value>),
}

impl Walk {
    pub(crate) fn new(query: &ListQuery) -> Result<Self, Error> {
        let foreign = |after: &Position| after.order() != query.order;
        if query.after.as_ref().is_some_and(foreign) {
            return Err(Error::ForeignPosition);
        }
        // Beyond the five digits of a member there are no capacities anyway.
        let least = query.min_capacity.unwrap_or(0).clamp(0, MOST);
        let most = query.max_capacity.unwrap_or(MOST).clamp(0, MOST);
        let prefix = query.name_prefix.as_str();
        let any_name = prefix.is_empty();
        let any_capacity = (least, most) == (0, MOST);
        let by_name = starting_with(prefix, prefix);
        let by_capacity = starting_with(&format!("{least:05}"), &format!("{most:05}"));

        let all = || (b"-".to_vec(), b"+".to_vec());
        let (mut lower, mut upper) = match query.order {
            Order::Name if any_name => all(),
            Order::Name => by_name.clone(),
            Order::Capacity if any_capacity => all(),
            Order::Capacity => by_capacity.clone(),
            Order::CreateTime => (b"-inf".to_vec(), b"+inf".to_vec()),
        };
        if let Some(Position(place)) = &query.after {
            if query.descending {
                upper = before(place);
            } else {
                lower = behind(place);
            }
        }
        if prefix.contains(keys::NUL) {
            // It would match where a name ends.
            (lower, upper) = match query.order {
                Order::CreateTime => (b"+inf".to_vec(), b"-inf".to_vec()),
                Order::Name | Order::Capacity => (b"+".to_vec(), b"-".to_vec()),
            };
            return Ok(Self::Stretch(zrange(query, lower, upper, 1.into())));
        }
        let wanted_circles = wanted(query);
        let wanted = Value::from(wanted_circles);
        let stretch = match query.order {
            Order::Name => any_capacity,
            Order::Capacity => any_name,
            Order::CreateTime => any_name && any_capacity,
        };
        if stretch {
            return Ok(Self::Stretch(zrange(query, lower, upper, wanted)));
        }
        let none = || (Vec::new(), Vec::new());
        let by_name = if any_name { none() } else { by_name };
        let by_capacity = if any_capacity { none() } else { by_capacity };
        Ok(Self::Filter(vec![
            match query.order {
                Order::Name => "name",
                Order::Capacity => "capacity",
                Order::CreateTime => "create_time",
            }
            .into(),
            if query.descending { "REV" } else { "" }.into(),
            lower.as_slice().into(),
            upper.as_slice().into(),
            wanted,
            i64::from(SCAN_LIMIT).max(wanted_circles).into(),
            prefix.into(),
            least.into(),
            most.into(),
            by_name.0.as_slice().into(),
            by_name.1.as_slice().into(),
            by_capacity.0.as_slice().into(),
            by_capacity.1.as_slice().into(),
        ]))
    }
}

/// How many circles to ask for: one more than the page tells whether another
/// one follows.
fn wanted(query: &ListQuery) -> i64 {
    i64::from(query.limit.max(1)) + 1
}

fn zrange(query: &ListQuery, lower: Vec<u8>, upper: Vec<u8>, count: Value) -> Vec<Value> {
    let (first, last) = if query.descending {
        (upper, lower)
    } else {
        (lower, upper)
    };
    let by_score = query.order == Order::CreateTime;
    let by = if by_score { "BYSCORE" } else { "BYLEX" };
    let mut arguments: Vec<Value> = vec![first.as_slice().into(), last.as_slice().into()];
    arguments.push(by.into());
    if query.descending {
        arguments.push("REV".into());
    }
    arguments.extend(["LIMIT".into(), 0.into(), count]);
    if by_score {
        arguments.push("WITHSCORES".into());
    }
    arguments
}

/// The bounds of all members from those that begin with `first` to those that
/// begin with `last`.
fn starting_with(first: &str, last: &str) -> (Vec<u8>, Vec<u8>) {
    (bound(b'[', first, b""), bound(b'(', last, &[LAST]))
}

/// The lower bound of everything behind a place.
fn behind(place: &Place) -> Vec<u8> {
    match place {
        // Behind whatever follows in the member.
        Place::Name(place) | Place::Capacity(place) => bound(b'(', place, &[LAST]),
        Place::CreateTime(sequence) => bound(b'(', &sequence.to_string(), b""),
    }
}

/// The upper bound of everything before a place.
fn before(place: &Place) -> Vec<u8> {
    match place {
        Place::Name(place) | Place::Capacity(place) => bound(b'(', place, b""),
        Place::CreateTime(sequence) => bound(b'(', &sequence.to_string(), b""),
    }
}

/// A bound as ZRANGE takes it; `kind` is `[` for inclusive, `(` for exclusive.
fn bound(kind: u8, text: &str, end: &[u8]) -> Vec<u8> {
    [&[kind], text.as_bytes(), end].concat()
}

/// What a partition answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its last event.
    pub(crate) sequence: Sequence,
    /// The entry up to which all was looked at; none where that was all.
    end: Option<Bytes>,
    entries: Bytes,
}

impl Answer {
    /// Takes the parts of a script's answer that follow the checkpoint.
    pub(crate) fn new(sequence: Sequence, rest: &[Option<Bytes>]) -> Option<Self> {
        let (end, entries) = match rest {
            [entries] => (None, entries),
            [end, entries] => (end.clone(), entries),
            _ => return None,
        };
        Some(Self {
            sequence,
            end,
            entries: entries.clone()?,
        })
    }
}

/// An entry of the index of the order, or the end of what was looked at there.
/// Ordered as the list is, if ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry<'a> {
    /// Its score, by creation.
    score: u64,
    /// What it is ordered by otherwise.
    place: &'a [u8],
    member: &'a [u8],
}

/// Puts together the page of what every partition answered.
pub(crate) fn page(
    query: &ListQuery,
    walk: &Walk,
    keys: &Keys,
    answers: &[Answer],
) -> Result<Page, Error> {
    let index = keys.index(query.order);
    let corrupt = |entry: &[u8]| {
        let entry = String::from_utf8_lossy(entry);
        Error::unreadable(index, format!("the entry {entry:?} is not of its form"))
    };
    let limit = query.limit.max(1) as usize;
    let mut entries = Vec::with_capacity(limit + 1);
    // Nothing can be told beyond where a partition that has more stopped.
    let mut end: Option<Entry<'_>> = None;
    for answer in answers {
        let from = entries.len();
        read(query.order, &answer.entries, &mut entries).map_err(corrupt)?;
        let stopped = match &answer.end {
            Some(end) => Some(entry_of_end(query.order, end).ok_or_else(|| corrupt(end))?),
            // A stretch that was longer.
            None => match walk {
                Walk::Stretch(_) => entries[from..].get(limit).copied(),
                Walk::Filter(_) => None,
            },
        };
        end = match (end, stopped) {
            (Some(one), Some(other)) if query.descending => Some(one.max(other)),
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    let after = query.after.as_ref().map(Position::sort_key);
    let in_page = |entry: &Entry<'_>| {
        let key = (entry.score, entry.place);
        let behind = after.as_ref().is_none_or(|(score, place)| {
            let after = (*score, place.as_bytes());
            if query.descending {
                key < after
            } else {
                key > after
            }
        });
        let known = end.is_none_or(|end| {
            let end = (end.score, end.place);
            if query.descending {
                key >= end
            } else {
                key <= end
            }
        });
        behind && known
    };
    entries.retain(in_page);
    if query.descending {
        entries.sort_unstable_by_key(|entry| Reverse(*entry));
    } else {
        entries.sort_unstable();
    }
    let last = if entries.len() > limit {
        entries.truncate(limit);
        entries.last().copied()
    } else {
        end
    };
    let position = |entry: Entry<'_>| match query.order {
        Order::CreateTime => Some(Position(Place::CreateTime(Sequence::new(entry.score)))),
        order => Position::of_entry(order, entry.member),
    };
    let next = last
        .map(|entry| position(entry).ok_or_else(|| corrupt(entry.member)))
        .transpose()?;
    let documents = entries
        .iter()
        .map(|entry| document(query.order, entry.member).ok_or_else(|| corrupt(entry.member)))
        .collect::<Result<_, _>>()?;
    let sequence = answers.iter().map(|answer| answer.sequence).min();
    Ok(Page {
        documents,
        next,
        sequence: sequence.unwrap_or_default(),
    })
}

/// Reads lines of entries; answers with the line that is none.
fn read<'a>(order: Order, lines: &'a Bytes, entries: &mut Vec<Entry<'a>>) -> Result<(), &'a [u8]> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut lines = lines.split(|byte| *byte == b'\n');
    while let Some(member) = lines.next() {
        let entry = match order {
            Order::CreateTime => lines.next().and_then(score).map(|score| Entry {
                score,
                place: b"",
                member,
            }),
            _ => entry_of_member(order, member),
        };
        entries.push(entry.ok_or(member)?);
    }
    Ok(())
}

fn entry_of_end(order: Order, end: &[u8]) -> Option<Entry<'_>> {
    match order {
        Order::CreateTime => score(end).map(|score| Entry {
            score,
            place: b"",
            member: b"",
        }),
        _ => entry_of_member(order, end),
    }
}

fn entry_of_member(order: Order, member: &[u8]) -> Option<Entry<'_>> {
    let end = match order {
        Order::Name => keys::BY_NAME_END,
        _ => keys::BY_CAPACITY_END,
    };
    Some(Entry {
        score: 0,
        place: member.get(..member.len().checked_sub(end)?)?,
        member,
    })
}

fn score(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn document(order: Order, member: &[u8]) -> Option<Document> {
    match order {
        Order::Name => keys::of_by_name(member),
        Order::Capacity | Order::CreateTime => keys::of_by_capacity(member),
    }
}

/// An error for a member that the index by creation lacks.
pub(crate) fn unlisted(keys: &Keys, member: &[u8]) -> Error {
    let corruption = match keys::of_by_capacity(member) {
        Some(document) => Corruption::NotListed { id: document.id },
        None => Corruption::Unreadable("it lacks an entry of another index".to_owned()),
    };
    Error::Corrupt {
        key: keys.by_create_time.clone(),
        corruption,
    }
}
