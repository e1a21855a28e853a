//! What the projector measures besides calls: how far it is, and what was out of the ordinary.

use std::sync::{Arc, OnceLock};

use chrono::Utc;
use event_store::{EventStore, StoreError};
use service_kit::metrics::{self, Counter, Gauge, Metrics};
use shared_domain::Sequence;

use crate::admin::Opened;
use crate::progress::{Latest, Progress, State};
use crate::rebuild::{Rebuilds, Report};

/// All states, as labels.
const STATES: &[&str] = &[
    "starting", "standby", "building", "running", "retrying", "halted",
];

fn label(state: State) -> &'static str {
    match state {
        State::Starting => "starting",
        State::Standby => "standby",
        State::Building => "building",
        State::Running => "running",
        State::Retrying => "retrying",
        State::Halted => "halted",
    }
}

/// What is read before each look.
struct Readings {
    state: metrics::State,
    checkpoint: Gauge,
    head: Gauge,
    lag_events: Gauge,
    lag_seconds: Gauge,
    parked: Gauge,
    hole: Gauge,
    applied: Counter,
    divergent: Counter,
    repaired: Counter,
    rewinds: Counter,
    builds: Counter,
    audited: Counter,
    rebuild_running: Gauge,
    rebuild_events: Gauge,
    rebuild_target: Gauge,
    rebuild_seconds_left: Gauge,
}

impl Readings {
    fn new(metrics: &Metrics) -> Self {
        Self {
            state: metrics.state(
                "circles_projector_state",
                "What the projector is doing: 1 for its state, 0 for the others.",
                "state",
                STATES,
            ),
            checkpoint: metrics.gauge(
                "circles_projector_checkpoint_sequence",
                "The last event that is applied; not there while the projector stands by.",
            ),
            head: metrics.gauge(
                "circles_projector_log_head_sequence",
                "Where the log ends; not there while MySQL does not tell.",
            ),
            lag_events: metrics.gauge(
                "circles_projector_lag_events",
                "Events that are not applied yet; not there while the projector stands by, or MySQL does not tell.",
            ),
            lag_seconds: metrics.gauge(
                "circles_projector_lag_seconds",
                "The age of the oldest event that is not applied yet, 0 where there is none; not there as lag_events.",
            ),
            parked: metrics.gauge(
                "circles_projector_parked_circles",
                "Circles with an event that can't be read or applied.",
            ),
            hole: metrics.gauge(
                "circles_projector_log_hole",
                "1 while the projector has halted at a hole in the log, else 0.",
            ),
            applied: metrics.counter(
                "circles_projector_applied_events_total",
                "Events applied by this process.",
            ),
            divergent: metrics.counter(
                "circles_projector_divergent_circles_total",
                "Circles that were found to be shown wrongly.",
            ),
            repaired: metrics.counter(
                "circles_projector_repaired_circles_total",
                "Circles that were folded anew and differed then.",
            ),
            rewinds: metrics.counter(
                "circles_projector_log_rewinds_total",
                "How often the log had lost its tail, and the read models went back with it.",
            ),
            builds: metrics.counter(
                "circles_projector_builds_total",
                "How often read models were built from nothing.",
            ),
            audited: metrics.counter(
                "circles_projector_audited_circles_total",
                "Circles that the audit in the background has compared.",
            ),
            rebuild_running: metrics.gauge(
                "circles_projector_rebuild_running",
                "1 while a rebuild runs, else 0.",
            ),
            rebuild_events: metrics.gauge(
                "circles_projector_rebuild_events",
                "Events that the rebuild has applied; 0 while none runs.",
            ),
            rebuild_target: metrics.gauge(
                "circles_projector_rebuild_target_events",
                "Events that the rebuild has to apply; 0 while none runs.",
            ),
            rebuild_seconds_left: metrics.gauge(
                "circles_projector_rebuild_left_seconds",
                "How long the rebuild takes yet at its present rate; 0 while none runs.",
            ),
        }
    }

    fn take(&self, progress: &Progress) {
        self.state.set(label(progress.state));
        let leads = leads(progress.state);
        let checkpoint = leads.then(|| progress.checkpoint.get());
        self.checkpoint.set_or_hide(checkpoint);
        self.parked.set(if leads { progress.parked } else { 0 });
        self.hole.set(u64::from(progress.hole.is_some()));
        self.applied.raise_to(progress.applied);
        self.divergent.raise_to(progress.counts.divergent);
        self.repaired.raise_to(progress.counts.repaired);
        self.rewinds.raise_to(progress.counts.rewinds);
        self.builds.raise_to(progress.counts.builds);
        self.audited.raise_to(progress.audited);
        // Until MySQL has told.
        for gauge in [&self.head, &self.lag_events, &self.lag_seconds] {
            gauge.hide();
        }
    }

    fn take_rebuild(&self, rebuilds: Option<&Rebuilds>) {
        let running = rebuilds.and_then(Rebuilds::running);
        let report = running
            .as_ref()
            .map_or_else(Report::default, |report| report.borrow().clone());
        self.rebuild_running.set(u64::from(running.is_some()));
        self.rebuild_events.set(report.events);
        self.rebuild_target.set(report.total);
        self.rebuild_seconds_left.set_real(report.seconds_left());
    }

    /// Asks the log for its end, and for the oldest event that `checkpoint` is behind of.
    async fn look(&self, log: &EventStore, checkpoint: Option<Sequence>) -> Result<(), StoreError> {
        let head = log.head().await?;
        self.head.set(head.get());
        let Some(checkpoint) = checkpoint else {
            return Ok(());
        };
        let oldest = log.first_after(checkpoint).await?;
        let age = oldest.map_or(0, |oldest| (Utc::now() - oldest).num_milliseconds());
        // The clock of who wrote the event may be ahead of ours.
        self.lag_seconds.set_real(age.max(0) as f64 / 1_000.0);
        let lag = head.get().saturating_sub(checkpoint.get());
        self.lag_events.set(lag);
        Ok(())
    }
}

/// Whether what a projector knows of the read models is the present.
fn leads(state: State) -> bool {
    !matches!(state, State::Starting | State::Standby)
}

/// Has everything read that `progress` tells, and the log, once both servers were reached.
pub(crate) fn read(metrics: &Metrics, progress: Latest, opened: Arc<OnceLock<Opened>>) {
    let readings = Arc::new(Readings::new(metrics));
    metrics.before_scrape(move || {
        let readings = Arc::clone(&readings);
        let (progress, opened) = (progress.clone(), Arc::clone(&opened));
        async move {
            let checkpoint = {
                let progress = progress.borrow();
                readings.take(&progress);
                leads(progress.state).then_some(progress.checkpoint)
            };
            let opened = opened.get();
            readings.take_rebuild(opened.map(|opened| &opened.rebuilds));
            if let Some(opened) = opened
                && let Err(error) = readings.look(&opened.log, checkpoint).await
            {
                tracing::debug!(%error, "the metrics don't know the log's end");
            }
        }
    });
}
