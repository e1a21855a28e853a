//! A rebuild, and who follows it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use event_store::EventStore;
use service_kit::program::chain;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::order::Orders;
use crate::project::StepError;
use crate::spare::{Difference, Place, Spare, SwitchError};

/// Over how long the rate is measured.
const RATE_OVER: Duration = Duration::from_secs(5);

/// How often the end of the log is looked at.
const HEAD_AGE: Duration = Duration::from_secs(1);

/// What a rebuild is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RebuildPhase {
    #[default]
    Building,
    Comparing,
    Switching,
    Switched,
    Compared,
}

/// How far a rebuild is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) phase: RebuildPhase,
    pub(crate) events: u64,
    pub(crate) total: u64,
    /// Events per second, lately.
    pub(crate) rate: f64,
    pub(crate) difference: Option<Difference>,
    /// Why it has failed.
    pub(crate) failure: Option<Arc<SwitchError>>,
}

impl Report {
    /// Whether nothing more comes.
    pub(crate) fn is_final(&self) -> bool {
        self.failure.is_some()
            || matches!(self.phase, RebuildPhase::Switched | RebuildPhase::Compared)
    }

    /// How many seconds the rest takes at the present rate.
    pub(crate) fn seconds_left(&self) -> f64 {
        let left = self.total.saturating_sub(self.events) as f64;
        if self.rate > 0.0 {
            left / self.rate
        } else {
            0.0
        }
    }
}

/// Whether a rebuild goes on. Its task may have ended without a last word.
fn runs(report: &watch::Receiver<Report>) -> bool {
    !report.borrow().is_final() && report.has_changed().is_ok()
}

/// At most one rebuild at a time.
#[derive(Clone)]
pub(crate) struct Rebuilds {
    log: EventStore,
    place: Place,
    holder: String,
    orders: Orders,
    running: Arc<Mutex<Option<watch::Receiver<Report>>>>,
}

impl Rebuilds {
    pub(crate) fn new(log: EventStore, place: Place, holder: String, orders: Orders) -> Self {
        Self {
            log,
            place,
            holder,
            orders,
            running: Arc::default(),
        }
    }

    /// The rebuild that runs, if one does.
    pub(crate) fn running(&self) -> Option<watch::Receiver<Report>> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.clone().filter(runs)
    }

    /// Waits for the end of the rebuild that runs, if one does.
    pub(crate) async fn ended(&self) {
        while let Some(mut report) = self.running() {
            let _ = report.wait_for(Report::is_final).await;
        }
    }

    /// Starts a rebuild, or answers with the one that runs.
    pub(crate) fn start(&self, dry_run: bool) -> watch::Receiver<Report> {
        // Held over both, so that of two calls one finds the other's.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.clone().filter(runs) {
            return running;
        }
        let (report, follower) = watch::channel(Report::default());
        *running = Some(follower.clone());
        tokio::spawn(self.clone().run(dry_run, report));
        follower
    }

    async fn run(self, dry_run: bool, report: watch::Sender<Report>) {
        tracing::info!(dry_run, "rebuilding the read models");
        if let Err(error) = self.rebuild(dry_run, &report).await {
            let outcome = match &error {
                // The error says so.
                SwitchError::Unknown(_) => "the rebuild failed",
                _ => "the rebuild failed; nothing was switched",
            };
            tracing::error!(error = %chain(&error), "{outcome}");
            report.send_modify(|report| report.failure = Some(Arc::new(error)));
        }
    }

    async fn rebuild(
        &self,
        dry_run: bool,
        report: &watch::Sender<Report>,
    ) -> Result<(), SwitchError> {
        let begun = Instant::now();
        let mut spare = Spare::begin(self.log.clone(), &self.place, &self.holder).await?;
        self.build(&mut spare, report).await?;
        report.send_modify(|report| report.phase = RebuildPhase::Comparing);
        let difference = spare.compare(&self.orders).await?;
        tracing::info!(
            seconds = begun.elapsed().as_secs_f64(),
            divergent_circles = difference.divergent.len(),
            stray_entries = difference.stray,
            "the new read models are built"
        );
        if dry_run {
            spare.clear().await?;
            report.send_modify(|report| {
                report.difference = Some(difference);
                report.phase = RebuildPhase::Compared;
            });
            return Ok(());
        }
        report.send_modify(|report| {
            report.difference = Some(difference);
            report.phase = RebuildPhase::Switching;
        });
        let mut replaced = self.orders.switch(Box::new(spare)).await?;
        tracing::info!("the new read models are in use");
        report.send_modify(|report| report.phase = RebuildPhase::Switched);
        if let Err(error) = replaced.clear().await {
            tracing::warn!(error = %chain(&error), "the old read models were not removed");
        }
        Ok(())
    }

    /// Applies the log to its end, and tells how fast.
    async fn build(
        &self,
        spare: &mut Spare,
        report: &watch::Sender<Report>,
    ) -> Result<(), SwitchError> {
        let mut marks: VecDeque<(Instant, u64)> = VecDeque::from([(Instant::now(), 0)]);
        let mut head: Option<(Instant, u64)> = None;
        loop {
            let (events, is_end) = spare.step().await?;
            let now = Instant::now();
            if head.is_none_or(|(at, _)| now - at > HEAD_AGE) {
                let total = match self.log.head().await {
                    Ok(head) => head.get(),
                    // It only tells how much is left, for which nothing is to be lost.
                    Err(error) if error.is_transient() => head.map_or(0, |(_, total)| total),
                    Err(error) => return Err(StepError::from(error).into()),
                };
                head = Some((now, total));
            }
            let total = head.map_or(0, |(_, total)| total);
            if marks
                .back()
                .is_none_or(|(at, _)| now - *at > RATE_OVER / 50)
            {
                marks.push_back((now, events));
            }
            while marks.len() > 2 && marks.front().is_some_and(|(at, _)| now - *at > RATE_OVER) {
                marks.pop_front();
            }
            let rate = marks.front().map_or(0.0, |(at, before)| {
                events.saturating_sub(*before) as f64 / (now - *at).as_secs_f64().max(0.001)
            });
            report.send_modify(|report| {
                report.events = events;
                report.total = total.max(events);
                report.rate = rate;
            });
            if is_end {
                return Ok(());
            }
        }
    }
}
