//! What goes into the log, and what comes of it.

use chrono::{DateTime, Utc};
use shared_domain::{CircleId, Command, EventId, Metadata, RecordedEvent, Refusal};
use tokio::time::Instant;

use crate::load::StoredCircle;

/// A command on its way into the log.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The id that its event shall have: the client's request id, or a new one.
    pub event_id: EventId,
    /// Whose event it shall be.
    pub circle_id: CircleId,
    /// What to do.
    pub command: Command,
    /// Who, and on which request.
    pub metadata: Metadata,
    /// When. Kept to the microsecond.
    pub occurred_at: DateTime<Utc>,
    /// Which of the ids the log can't know yet.
    pub fresh: Fresh,
    /// Until when it may be begun; none for as long as it takes. What is under way then goes on.
    pub deadline: Option<Instant>,
}

/// Which ids of a submission were made at random for it alone, so that the log need not be asked
/// about them at the first attempt. Should one be there all the same, the unique keys refuse the
/// batch, and the next attempt asks about all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fresh {
    /// The event's id; not so for one that the client chose.
    pub event: bool,
    /// The circle's id; only so for one that is created.
    pub circle: bool,
}

/// What became of a submission.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Its event is in the log, durable; the circle is now this.
    Appended(StoredCircle),
    /// It changes nothing about the circle, which is this.
    Unchanged(StoredCircle),
    /// The rules refuse it.
    Refused(Refusal),
    /// The log has an event with its id already: from the same request, sent or tried before,
    /// or from another request under that id. The caller knows how to tell.
    Repeated(Box<RecordedEvent>),
}

/// A submission with the circle as somebody knew it a moment ago: only a hint, which the log
/// confirms or refutes.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) submission: Submission,
    pub(crate) basis: StoredCircle,
    /// When somebody began to find that out.
    pub(crate) known_since: Instant,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// It is settled.
    Settled(Outcome),
    /// The circle is no longer what was known: load it and try again.
    Stale,
}
