//! What clients asked, what they were told, and when.

use std::collections::BTreeSet;

/// A point in the one order of everything that clients do: each invocation and each return has
/// its own.
pub type Moment = u64;

/// Everything that happened.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The commands.
    pub requests: Vec<Request>,
    /// The queries that were answered.
    pub reads: Vec<Read>,
    /// The watches.
    pub watches: Vec<Watch>,
    /// Failures that no disaster excuses, as they were told.
    pub unexcused: Vec<String>,
}

/// A command, sent once or several times under one request id.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its id, which is its event's.
    pub id: String,
    /// What was asked.
    pub asked: Asked,
    /// Each time it was sent, in order.
    pub attempts: Vec<Attempt>,
}

/// What a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A new circle.
    Create {
        /// The id that it shall have; an import can't say.
        circle_id: Option<String>,
        /// Its name.
        name: String,
        /// Its capacity.
        capacity: i32,
    },
    /// Another name or capacity.
    Update {
        /// Of which circle.
        circle_id: String,
        /// The new name.
        name: Option<String>,
        /// The new capacity.
        capacity: Option<i32>,
        /// The version that it must have.
        version: Option<i32>,
    },
    /// An end.
    Delete {
        /// Of which circle.
        circle_id: String,
        /// The version that it must have.
        version: Option<i32>,
        /// Why.
        reason: Option<String>,
    },
}

impl Asked {
    /// The circle, where the request names one.
    #[must_use]
    pub fn circle_id(&self) -> Option<&str> {
        match self {
            Self::Create { circle_id, .. } => circle_id.as_deref(),
            Self::Update { circle_id, .. } | Self::Delete { circle_id, .. } => Some(circle_id),
        }
    }

    /// The version that the circle must have.
    #[must_use]
    pub fn version(&self) -> Option<i32> {
        match self {
            Self::Create { .. } => None,
            Self::Update { version, .. } | Self::Delete { version, .. } => *version,
        }
    }
}

/// One time that a command was sent.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Before it was sent.
    pub invoked: Moment,
    /// After its answer, or after the client gave up.
    pub returned: Moment,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a client knows of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Acknowledged(Answer),
    /// It is not done, and will not be.
    Refused(Refusal),
    /// Nobody knows.
    Unknown,
}

/// An acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of which circle.
    pub circle_id: String,
    /// Its version.
    pub version: i32,
    /// Where its latest event is in the log.
    pub sequence: u64,
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too much to do, or on the way up or down.
    NotNow,
    /// There is no such circle.
    NoCircle,
    /// It is deleted.
    Deleted,
    /// Its id is in use.
    IdUsed,
    /// It has another version.
    Version {
        /// This one.
        present: i32,
    },
}

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

/// A watch, through its interruptions.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Only these; all where there are none.
    pub circle_ids: BTreeSet<String>,
    /// Each call, in order.
    pub sessions: Vec<Session>,
}

/// One call of a watch.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// From where on; from the present, where it does not say.
    pub from: Option<u64>,
    /// Before it began.
    pub invoked: Moment,
    /// What came, and when.
    pub told: Vec<(Moment, Told)>,
}

/// What a watch tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing else happened up to here.
    Progress(u64),
    /// A change.
    Change {
        /// Of this sequence.
        sequence: u64,
        /// Of this kind.
        kind: Kind,
        /// Of this circle.
        circle_id: String,
        /// Which is so now.
        circle: Option<Circle>,
    },
}

impl Told {
    /// How far it leads.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Progress(sequence) | Self::Change { sequence, .. } => *sequence,
        }
    }
}

impl Watch {
    /// From where to go on: the last sequence received.
    #[must_use]
    pub fn position(&self) -> Option<u64> {
        let last = |session: &Session| {
            let told = session.told.last().map(|(_, told)| told.sequence());
            told.or(session.from)
        };
        self.sessions.iter().rev().find_map(last)
    }
}

impl Request {
    /// The answers that it got.
    pub fn answers(&self) -> impl Iterator<Item = (&Attempt, &Answer)> {
        self.attempts.iter().filter_map(|attempt| {
            let Outcome::Acknowledged(answer) = &attempt.outcome else {
                return None;
            };
            Some((attempt, answer))
        })
    }

    /// Whether every attempt was refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let refused = |attempt: &Attempt| matches!(attempt.outcome, Outcome::Refused(_));
        self.attempts.iter().all(refused)
    }

    /// When it was first sent.
    #[must_use]
    pub fn begun(&self) -> Moment {
        self.attempts.first().map_or(0, |attempt| attempt.invoked)
    }
}
