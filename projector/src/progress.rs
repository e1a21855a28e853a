//! What the projector tells about itself.

use circles_proto::circles::admin::v1::ProjectorState;
use shared_domain::Sequence;
use tokio::sync::watch;

/// What the projector is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// It has not yet reached both servers.
    #[default]
    Starting,
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
    /// Events applied since the process started.
    pub(crate) applied: u64,
    /// Why it is not running.
    pub(crate) problem: String,
}

/// The latest progress, for everybody who wants to know.
pub(crate) type Latest = watch::Sender<Progress>;

impl From<State> for ProjectorState {
    fn from(state: State) -> Self {
        match state {
            State::Starting => Self::Starting,
            State::Running => Self::Running,
            State::Retrying => Self::Retrying,
            State::Halted => Self::Halted,
        }
    }
}
