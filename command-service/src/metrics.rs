//! What the service measures besides its calls.

use std::future;
use std::sync::{Arc, OnceLock};

use event_store::{Batch, Figures, WriterOptions};
use service_kit::metrics::{Counter, Gauge, Histogram, Metrics, SECONDS, SIZES};

/// What is told of batches.
pub(crate) struct Batches {
    sizes: Histogram,
    durations: Histogram,
}

impl Batches {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            sizes: metrics.histogram(
                "circles_command_batch_size",
                "Commands that shared a transaction.",
                SIZES,
            ),
            durations: metrics.histogram(
                "circles_command_commit_duration_seconds",
                "How long a transaction took that appends a batch, the commit included.",
                SECONDS,
            ),
        }
    }

    pub(crate) fn observe(&self, batch: Batch) {
        self.sizes.observe(batch.commands);
        self.durations.took(batch.took);
    }
}

/// What is read from the writer, before each look.
struct Readings {
    queue_length: Gauge,
    head: Gauge,
    refused: Counter,
    failures: Counter,
    hits: Counter,
    misses: Counter,
    ignored_snapshots: Counter,
}

impl Readings {
    fn new(metrics: &Metrics) -> Self {
        Self {
            queue_length: metrics.gauge(
                "circles_command_queue_length",
                "Commands that wait for a transaction.",
            ),
            head: metrics.gauge(
                "circles_command_log_head_sequence",
                "The sequence at which the log ended after this process's last transaction.",
            ),
            refused: metrics.counter(
                "circles_command_refused_total",
                "Commands that were refused because the queue is full.",
            ),
            failures: metrics.counter(
                "circles_command_transaction_failures_total",
                "Transactions that failed, those that were tried again included.",
            ),
            hits: metrics.counter(
                "circles_command_cache_hits_total",
                "Circles that a command found in memory.",
            ),
            misses: metrics.counter(
                "circles_command_cache_misses_total",
                "Circles that were loaded for a command.",
            ),
            ignored_snapshots: metrics.counter(
                "circles_command_ignored_snapshots_total",
                "Snapshots that could not be used, so that the circle was loaded from its events alone.",
            ),
        }
    }

    fn take(&self, figures: &Figures) {
        self.queue_length.set(figures.queue_length());
        self.head.set_or_hide(figures.head().map(|head| head.get()));
        self.refused.raise_to(figures.refused());
        self.failures.raise_to(figures.failures());
        self.hits.raise_to(figures.cache_hits());
        self.misses.raise_to(figures.cache_misses());
        self.ignored_snapshots.raise_to(figures.ignored_snapshots());
    }
}

/// Has the writer's figures read, once there is one.
pub(crate) fn read(metrics: &Metrics, options: &WriterOptions, figures: Arc<OnceLock<Figures>>) {
    let limit = metrics.gauge(
        "circles_command_queue_limit",
        "Commands that may wait; more are refused.",
    );
    limit.set(options.queue as u64);
    let readings = Readings::new(metrics);
    metrics.before_scrape(move || {
        if let Some(figures) = figures.get() {
            readings.take(figures);
        }
        future::ready(())
    });
}
