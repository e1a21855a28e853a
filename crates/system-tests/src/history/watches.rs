//! What watches told.

use std::collections::BTreeSet;

use super::{Circle, Kind, Moment};

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
