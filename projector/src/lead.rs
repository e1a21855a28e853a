//! Working while the lease is ours: the loop around [`Projector::step`].

use std::time::Duration;

use read_model::Lease;
use service_kit::health::Readiness;
use service_kit::program::chain;
use shared_domain::Sequence;
use tokio::sync::{mpsc, watch};

use crate::order::Order;
use crate::progress::{Latest, State};
use crate::project::{Projector, Step, StepError};

/// How long after the first of several errors the projector tries again; later ones wait longer.
const FIRST_RETRY: Duration = Duration::from_millis(50);

/// The longest time between two attempts.
const LAST_RETRY: Duration = Duration::from_secs(1);

/// How long a halted projector waits before it looks whether the damage was mended.
const HALTED: Duration = Duration::from_secs(5);

/// How long to stand back when another projector was faster.
const STAND_BACK: Duration = Duration::from_millis(100);

/// How long after the first look that found nothing the next one is; later ones wait longer.
const FIRST_IDLE: Duration = Duration::from_millis(1);

/// Takes the lease, or keeps it, for as long as the receiver lives. With it goes how old the read models are.
pub(crate) async fn keep_lease(
    lease: Lease,
    time_to_live: Duration,
    ours: watch::Sender<bool>,
    progress: Latest,
) {
    loop {
        let as_of = progress.borrow().as_of;
        let taken = match lease.take(as_of).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::debug!(error = %chain(&error), "no lease");
                // What can't reach Redis can't work either, so nothing is lost by going on.
                *ours.borrow()
            }
        };
        // Who waits for a change is not woken by anything else.
        let changed = ours.send_if_modified(|ours| std::mem::replace(ours, taken) != taken);
        if changed {
            tracing::info!(leads = taken, "the lease changed hands");
        }
        let pause = if taken {
            time_to_live / 3
        } else {
            time_to_live / 10
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = ours.closed() => break,
        }
    }
    if let Err(error) = lease.give_back().await {
        tracing::debug!(error = %chain(&error), "the lease was not given back");
    }
}

/// A projector with all that it hears and tells.
pub(crate) struct Leader {
    pub(crate) projector: Projector,
    pub(crate) leads: watch::Receiver<bool>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) idle_delay: Duration,
    pub(crate) progress: Latest,
    pub(crate) readiness: Readiness,
}

impl Leader {
    /// Works or stands by, for ever.
    pub(crate) async fn run(mut self) {
        let mut idle = FIRST_IDLE;
        let mut retry = FIRST_RETRY;
        loop {
            if !*self.leads.borrow_and_update() {
                self.stand_by().await;
                continue;
            }
            let result = self.projector.step().await;
            self.report(&result);
            let delay = match &result {
                Ok(Step::Applied { .. } | Step::Filled { .. } | Step::Rewound { .. }) => {
                    idle = FIRST_IDLE;
                    Duration::ZERO
                }
                Ok(Step::Idle { .. }) => {
                    let delay = idle;
                    idle = (idle * 2).min(self.idle_delay);
                    delay
                }
                Ok(Step::Superseded) => STAND_BACK,
                Err(error) if error.is_transient() => {
                    let delay = retry;
                    retry = (retry * 2).min(LAST_RETRY);
                    delay
                }
                Err(_) => HALTED,
            };
            if result.is_ok() {
                retry = FIRST_RETRY;
            }
            self.wait(delay).await;
        }
    }

    /// Waits, unless there is an order to carry out.
    async fn wait(&mut self, delay: Duration) {
        let order = if delay.is_zero() {
            self.orders.try_recv().ok()
        } else {
            tokio::select! {
                order = self.orders.recv() => order,
                _ = self.leads.changed() => None,
                () = tokio::time::sleep(delay) => None,
            }
        };
        if let Some(order) = order {
            order.carry_out(&mut self.projector).await;
            self.report_counts();
        }
    }

    async fn stand_by(&mut self) {
        self.projector.forget();
        // What it knew of the read models is another one's to tell.
        self.progress.send_modify(|progress| {
            progress.checkpoint = Sequence::ZERO;
            progress.as_of = None;
            progress.parked = 0;
            progress.hole = None;
        });
        self.turn(State::Standby, String::new());
        self.readiness.set(true);
        tokio::select! {
            order = self.orders.recv() => if let Some(order) = order {
                order.refuse();
            },
            _ = self.leads.changed() => {}
        }
    }

    fn report(&self, result: &Result<Step, StepError>) {
        match result {
            Ok(Step::Superseded) => {
                tracing::warn!(
                    "the read models were not as thought, as after another projector's work, \
                     a loss, or a circle that was shown wrongly; looking again"
                );
            }
            Ok(_) => {}
            Err(error) if error.is_transient() => {
                tracing::warn!(error = %chain(error), "trying again");
            }
            Err(error) => tracing::error!(error = %chain(error), "halted: this must be mended"),
        }
        let (state, problem) = match result {
            Ok(_) if self.projector.is_building() => (State::Building, String::new()),
            Ok(_) => (State::Running, String::new()),
            Err(error) if error.is_transient() => (State::Retrying, error.to_string()),
            Err(error) => (State::Halted, error.to_string()),
        };
        self.progress.send_modify(|progress| {
            match result {
                Ok(Step::Applied { events, checkpoint }) => {
                    progress.checkpoint = *checkpoint;
                    progress.applied += *events as u64;
                }
                Ok(Step::Idle { checkpoint } | Step::Rewound { common: checkpoint }) => {
                    progress.checkpoint = *checkpoint;
                }
                Ok(Step::Filled { events }) => progress.applied += *events as u64,
                Ok(Step::Superseded) | Err(_) => {}
            }
            progress.as_of = self.projector.as_of();
            progress.hole = result.as_ref().err().and_then(StepError::hole);
        });
        self.report_counts();
        self.turn(state, problem);
        self.readiness.set(state != State::Halted);
    }

    fn report_counts(&self) {
        self.progress.send_modify(|progress| {
            progress.counts = self.projector.counts();
            progress.parked = self.projector.parked() as u64;
        });
    }

    fn turn(&self, state: State, problem: String) {
        self.progress.send_modify(|progress| {
            if progress.state != state {
                tracing::info!(?state, "state turned");
            }
            progress.state = state;
            progress.problem = problem;
        });
    }
}
