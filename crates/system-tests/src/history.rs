//! What clients asked, what they were told, and when.

mod queries;
mod watches;

pub use queries::{Circle, Entry, Kind, Order, Page, Read, Shown};
pub use watches::{Session, Told, Watch};

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
