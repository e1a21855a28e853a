//! What others ask of the projector that works; it does so between two steps, so that nothing
//! moves meanwhile.

use std::collections::BTreeSet;

use read_model::RepairMode;
use shared_domain::{CircleId, Sequence};
use tokio::sync::{mpsc, oneshot};

use crate::mend::Compared;
use crate::project::{Projector, StepError};
use crate::spare::{Spare, SwitchError};

/// How many orders can wait.
const QUEUE: usize = 64;

/// Something to be done.
pub(crate) enum Order {
    /// Compare circles with the log.
    Compare {
        ids: BTreeSet<CircleId>,
        mode: RepairMode,
        reply: Reply<Compared>,
    },
    /// Try a parked circle again, or all of them.
    Retry {
        id: Option<CircleId>,
        reply: Reply<Retried>,
    },
    /// Let a hole of the log pass.
    SkipHole {
        after: Sequence,
        next: Sequence,
        reply: Reply<()>,
    },
    /// Put new read models in the place of the present ones.
    Switch {
        spare: Box<Spare>,
        reply: oneshot::Sender<Result<Box<Spare>, SwitchError>>,
    },
}

type Reply<T> = oneshot::Sender<Result<T, OrderError>>;

/// What became of parked circles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retried {
    pub(crate) resumed: u64,
    pub(crate) still_parked: u64,
}

/// Why an order was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderError {
    /// Another projector works, or this one stops.
    #[error("another projector works")]
    NotLeader,
    /// The read models kept changing under it.
    #[error("another projector interfered")]
    Superseded,
    /// The log or the read models failed.
    #[error(transparent)]
    Failed(#[from] StepError),
}

/// Gives orders. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Orders(mpsc::Sender<Order>);

impl Orders {
    /// The two ends.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<Order>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    pub(crate) async fn compare(
        &self,
        ids: BTreeSet<CircleId>,
        mode: RepairMode,
    ) -> Result<Compared, OrderError> {
        self.give(|reply| Order::Compare { ids, mode, reply }).await
    }

    pub(crate) async fn retry(&self, id: Option<CircleId>) -> Result<Retried, OrderError> {
        self.give(|reply| Order::Retry { id, reply }).await
    }

    pub(crate) async fn skip_hole(
        &self,
        after: Sequence,
        next: Sequence,
    ) -> Result<(), OrderError> {
        self.give(|reply| Order::SkipHole { after, next, reply })
            .await
    }

    pub(crate) async fn switch(&self, spare: Box<Spare>) -> Result<Box<Spare>, SwitchError> {
        let (reply, answer) = oneshot::channel();
        let _ = self.0.send(Order::Switch { spare, reply }).await;
        answer.await.unwrap_or(Err(SwitchError::NotLeader))
    }

    /// A projector that ends drops what it has not done.
    async fn give<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, OrderError> {
        let (reply, answer) = oneshot::channel();
        let _ = self.0.send(order(reply)).await;
        answer.await.unwrap_or(Err(OrderError::NotLeader))
    }
}

impl Order {
    /// Refuses it, as this is not the projector that works.
    pub(crate) fn refuse(self) {
        // Whoever has gone does not hear it.
        match self {
            Self::Compare { reply, .. } => drop(reply.send(Err(OrderError::NotLeader))),
            Self::Retry { reply, .. } => drop(reply.send(Err(OrderError::NotLeader))),
            Self::SkipHole { reply, .. } => drop(reply.send(Err(OrderError::NotLeader))),
            Self::Switch { reply, .. } => drop(reply.send(Err(SwitchError::NotLeader))),
        }
    }

    /// Does it.
    pub(crate) async fn carry_out(self, projector: &mut Projector) {
        match self {
            Self::Compare { ids, mode, reply } => {
                let compared = projector.compare(&ids, mode).await;
                if let Ok(Some(compared)) = &compared {
                    projector.counts.divergent += compared.divergent.len() as u64;
                }
                drop(reply.send(done(compared)));
            }
            Self::Retry { id, reply } => drop(reply.send(projector.retry(id).await)),
            Self::SkipHole { after, next, reply } => {
                drop(reply.send(projector.skip_hole(after, next).await));
            }
            Self::Switch { spare, reply } => {
                drop(reply.send(projector.switch_to(spare).await));
            }
        }
    }
}

fn done<T>(result: Result<Option<T>, StepError>) -> Result<T, OrderError> {
    result?.ok_or(OrderError::Superseded)
}

impl Projector {
    async fn retry(&mut self, id: Option<CircleId>) -> Result<Retried, OrderError> {
        let state = self.take_state().await?.ok_or(OrderError::Superseded)?;
        self.state = Some(state);
        let mut ids = self.parked_ids();
        ids.retain(|parked| id.is_none_or(|id| id == *parked));
        done(self.compare(&ids, RepairMode::Repair).await)?;
        let parked = self.parked_ids();
        let still_parked = ids.intersection(&parked).count() as u64;
        Ok(Retried {
            resumed: ids.len() as u64 - still_parked,
            still_parked,
        })
    }

    async fn skip_hole(&mut self, after: Sequence, next: Sequence) -> Result<(), OrderError> {
        self.partitions[0]
            .let_pass(after, next)
            .await
            .map_err(StepError::from)?;
        tracing::error!(%after, %next, "a hole in the log is let pass, as told");
        self.forget();
        Ok(())
    }
}
