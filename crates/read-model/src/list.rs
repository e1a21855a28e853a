//! Lists of circles, by pages.

use fred::types::Value;
use shared_domain::Sequence;

use crate::document::Document;
use crate::error::Error;
use crate::keys;
use crate::position::{Place, Position};

/// How many circles at most one page looks at, so that a filter that few
/// circles meet can't keep Redis busy for long.
pub const SCAN_LIMIT: u32 = 4_000;

/// Sorts behind everything that continues a text with the same beginning: no
/// UTF-8 has this byte.
const LAST: u8 = 0xff;

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
    /// 1,000 is reasonable, all
    /// of them are read in one moment.
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

/// One page of a list, as of one moment.
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
pub(crate) struct Walk {
    pub(crate) index: &'static str,
    pub(crate) arguments: Vec<Value>,
}

impl Walk {
    pub(crate) fn new(query: &ListQuery) -> Result<Self, Error> {
        let foreign = |after: &Position| after.order() != query.order;
        if query.after.as_ref().is_some_and(foreign) {
            return Err(Error::ForeignPosition);
        }
        // Beyond the five digits of a member there are no capacities anyway.
        let least = query.min_capacity.unwrap_or(0).clamp(0, 99_999);
        let most = query.max_capacity.unwrap_or(99_999).clamp(0, 99_999);
        let (mut lower, mut upper) = match query.order {
            Order::Name if query.name_prefix.is_empty() => (b"-".to_vec(), b"+".to_vec()),
            Order::Name => starting_with(&query.name_prefix, &query.name_prefix),
            Order::Capacity => starting_with(&format!("{least:05}"), &format!("{most:05}")),
            Order::CreateTime => (b"-inf".to_vec(), b"+inf".to_vec()),
        };
        if let Some(Position(place)) = &query.after {
            if query.descending {
                upper = before(place);
            } else {
                lower = behind(place);
            }
        }
        let (index, by, fields) = match query.order {
            Order::Name => (keys::BY_NAME, "BYLEX", [1, 3, 2]),
            Order::Capacity => (keys::BY_CAPACITY, "BYLEX", [2, 1, 3]),
            Order::CreateTime => (keys::BY_CREATE_TIME, "BYSCORE", [1, 2, 3]),
        };
        let mut arguments: Vec<Value> = vec![
            by.into(),
            if query.descending { "REV" } else { "" }.into(),
            lower.as_slice().into(),
            upper.as_slice().into(),
        ];
        arguments.extend(fields.map(Value::from));
        arguments.push(query.name_prefix.as_str().into());
        arguments.push(least.into());
        arguments.push(most.into());
        arguments.push(i64::from(query.limit.max(1)).into());
        arguments.push(i64::from(SCAN_LIMIT).into());
        arguments.push(keys::DOCUMENT_PREFIX.into());
        Ok(Self { index, arguments })
    }
}

/// The bounds of all members from those that begin with `first` to those that
/// begin with `last`.
fn starting_with(first: &str, last: &str) -> (Vec<u8>, Vec<u8>) {
    (bound(b'[', first, b""), bound(b'(', last, &[LAST]))
}

/// The lower bound of everything behind a place.
fn behind(place: &Place) -> Vec<u8> {
    match place {
        // Behind every capacity that the entry can have.
        Place::Name(place) => bound(b'(', place, &[0, LAST]),
        Place::Capacity(place) => bound(b'(', place, b""),
        Place::CreateTime(sequence) => bound(b'(', &sequence.to_string(), b""),
    }
}

/// The upper bound of everything before a place.
fn before(place: &Place) -> Vec<u8> {
    match place {
        Place::Name(place) => bound(b'(', place, &[0]),
        Place::Capacity(place) => bound(b'(', place, b""),
        Place::CreateTime(sequence) => bound(b'(', &sequence.to_string(), b""),
    }
}

/// A bound as ZRANGE takes it; `kind` is `[` for inclusive, `(` for exclusive.
fn bound(kind: u8, text: &str, end: &[u8]) -> Vec<u8> {
    [&[kind], text.as_bytes(), end].concat()
}
