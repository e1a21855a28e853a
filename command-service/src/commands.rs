//! What a command does, from its values to what is answered.

use event_store::{EventStore, Fresh, Outcome, StoreError, Submission, SubmitError, Writer};
use service_kit::deadline::Deadline;
use shared_domain::{
    Circle, CircleId, Command, EventId, Metadata, RecordedEvent, Refusal, Sequence, Version, decide,
};

/// A command with everything that comes from outside the domain.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Whom it is about.
    pub(crate) target: Target,
    /// What to do.
    pub(crate) command: Command,
    /// The id that its event shall have: the client's request id, or a new one.
    pub(crate) event_id: EventId,
    /// Who, and on which request.
    pub(crate) metadata: Metadata,
    /// When the client gives up.
    pub(crate) deadline: Option<Deadline>,
}

impl Order {
    fn submission(&self) -> Submission {
        Submission {
            event_id: self.event_id,
            circle_id: self.target.id(),
            command: self.command.clone(),
            metadata: self.metadata.clone(),
            occurred_at: chrono::Utc::now(),
            fresh: Fresh {
                event: self.metadata.request_id.is_none(),
                circle: matches!(self.target, Target::New(_)),
            },
            deadline: self.deadline.map(|deadline| deadline.0),
        }
    }
}

/// Whom a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The circle that the client named.
    Named(CircleId),
    /// A new circle, for which the service made the id.
    New(CircleId),
}

impl Target {
    fn id(self) -> CircleId {
        match self {
            Self::Named(id) | Self::New(id) => id,
        }
    }
}

/// The circle after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) circle_id: CircleId,
    pub(crate) version: Version,
    pub(crate) sequence: Sequence,
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Rejected {
    /// The rules.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request id belongs to another request.
    #[error("the request_id was used by another request")]
    RequestIdUsed,
    /// The log did not take it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The log could not be read.
    #[error(transparent)]
    Load(#[from] StoreError),
    /// The log holds a circle without a version. No program of ours writes one.
    #[error("the circle has no version")]
    NoVersion,
}

/// Does commands.
#[derive(Debug)]
pub(crate) struct Commands {
    store: EventStore,
    writer: Writer,
}

impl Commands {
    pub(crate) fn new(store: EventStore, writer: Writer) -> Self {
        Self { store, writer }
    }

    /// Does a command. Its event is durable when this returns.
    ///
    /// Even a command that the present state refuses goes to the log: only there is it certain
    /// that it is not the repetition of one that was done.
    pub(crate) async fn execute(&self, order: Order) -> Result<Accepted, Rejected> {
        let outcome = self.writer.submit(order.submission()).await?;
        self.accept(&order, outcome).await
    }

    /// [`execute`](Self::execute) that waits for room where the queue is full.
    pub(crate) async fn execute_when_room(&self, order: Order) -> Result<Accepted, Rejected> {
        let outcome = self.writer.submit_when_room(order.submission()).await?;
        self.accept(&order, outcome).await
    }

    async fn accept(&self, order: &Order, outcome: Outcome) -> Result<Accepted, Rejected> {
        match outcome {
            Outcome::Appended(now) | Outcome::Unchanged(now) => Ok(Accepted {
                circle_id: order.target.id(),
                version: now.circle.version().ok_or(Rejected::NoVersion)?,
                sequence: now.sequence,
            }),
            Outcome::Refused(refusal) => Err(refusal.into()),
            Outcome::Repeated(event) => self.answer_again(order, &event).await,
        }
    }

    /// Answers a request as it was answered first, if it is the request that made the event:
    /// then it decides to the same event on the state of that time.
    async fn answer_again(
        &self,
        order: &Order,
        event: &RecordedEvent,
    ) -> Result<Accepted, Rejected> {
        let same_circle = match order.target {
            Target::Named(id) => id == event.circle_id,
            Target::New(_) => true,
        };
        if !same_circle {
            return Err(Rejected::RequestIdUsed);
        }
        let before = match Version::new(i64::from(event.version.get()) - 1) {
            Ok(version) => self.store.load_at(event.circle_id, version).await?.circle,
            // There is no version before the first.
            Err(_) => Circle::Absent,
        };
        if decide(&before, &order.command).as_ref() != Ok(&Some(event.event.clone())) {
            return Err(Rejected::RequestIdUsed);
        }
        Ok(Accepted {
            circle_id: event.circle_id,
            version: event.version,
            sequence: event.sequence,
        })
    }
}
