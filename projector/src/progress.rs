//! What the projector tells about itself.

use std::time::SystemTime;

use circles_proto::circles::admin::v1::ProjectorState;
use shared_domain::Sequence;
use tokio::sync::watch;

use crate::project::Counts;

/// What the projector is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// It has not yet reached both servers.
    #[default]
    Starting,
    /// Another projector works.
    Standby,
    /// It builds read models that Redis had not.
    Building,
    /// It applies events.
    Running,
    /// A server can't be reached.
    Retrying,
    /// The log or the read model is damaged.
    Halted,
}

/// How far the projector is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) state: State,
    pub(crate) checkpoint: Sequence,
    /// A moment of which all events are applied, if that is known.
    pub(crate) as_of: Option<SystemTime>,
    /// Events applied since the process started.
    pub(crate) applied: u64,
    /// Circles that are parked.
    pub(crate) parked: u64,
    pub(crate) counts: Counts,
    /// Circles that the audit in the background has compared.
    pub(crate) audited: u64,
    /// Why it is not running.
    pub(crate) problem: String,
    /// The hole in the log at which it has halted.
    pub(crate) hole: Option<(Sequence, Sequence)>,
}

/// The latest progress, for everybody who wants to know.
pub(crate) type Latest = watch::Sender<Progress>;

impl From<State> for ProjectorState {
    fn from(state: State) -> Self {
        match state {
            State::Starting => Self::Starting,
            State::Standby => Self::Standby,
            State::Building => Self::Building,
            State::Running => Self::Running,
            State::Retrying => Self::Retrying,
            State::Halted => Self::Halted,
        }
    }
}
