//! What queries showed.

use super::Moment;

/// A circle as a query shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its capacity.
    pub capacity: i32,
    /// Its version.
    pub version: i32,
}

/// A query and its answer.
#[derive(Clone, Debug)]
pub struct Read {
    /// Before it was sent.
    pub invoked: Moment,
    /// After its answer.
    pub returned: Moment,
    /// How far the read model had to be.
    pub min_sequence: Option<u64>,
    /// How far it was; a circle that is not found comes without.
    pub sequence: Option<u64>,
    /// What was asked and shown.
    pub shown: Shown,
}

/// What a query showed.
#[derive(Clone, Debug)]
pub enum Shown {
    /// Some circles, by their ids; none where there is none.
    Circles(Vec<(String, Option<Circle>)>),
    /// A page of a list.
    Page(Page),
    /// The first entries of a circle's history; none where it was not found.
    Past {
        /// The circle.
        circle_id: String,
        /// The latest first.
        descending: bool,
        /// How many were asked for.
        size: usize,
        /// What was shown.
        entries: Vec<Entry>,
        /// Whether there is another page.
        more: bool,
    },
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its order.
    pub order: Order,
    /// Reversed.
    pub descending: bool,
    /// Only circles of this capacity at least.
    pub min_capacity: Option<i32>,
    /// The last circle of the page before.
    pub after: Option<Circle>,
    /// How many were asked for.
    pub size: usize,
    /// What was shown.
    pub circles: Vec<Circle>,
    /// Whether there is another page.
    pub more: bool,
}

/// How a list is ordered; circles that are equal in that by name, then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By name.
    Name,
    /// By capacity.
    Capacity,
    /// By creation.
    Creation,
}

/// What happened to a circle, as its history shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The circle's version after it.
    pub version: i32,
    /// What kind of thing.
    pub kind: Kind,
    /// Name before and after, where it changed.
    pub name: (Option<String>, Option<String>),
    /// Capacity before and after, where it changed.
    pub capacity: (Option<i32>, Option<i32>),
    /// Where it is in the log.
    pub sequence: u64,
    /// Why it was deleted.
    pub reason: String,
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A creation.
    Created,
    /// Another name or capacity.
    Updated,
    /// A deletion.
    Deleted,
    /// The read model was wrong.
    Corrected,
}
