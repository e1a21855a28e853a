//! Collects what the calls of one measurement came to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::client::Failure;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Shared by all slots of a measurement, on one thread.
pub(crate) struct Recorder {
    phase: Cell<Phase>,
    opened: Cell<Option<Instant>>,
    closed: Cell<Option<Instant>>,
    /// The calls that were to be made and have not been answered.
    unanswered: Cell<u64>,
    latencies: RefCell<Histogram<u64>>,
    failures: RefCell<BTreeMap<&'static str, u64>>,
    /// One failure in full, to show the user.
    example: RefCell<Option<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Open,
    Closed,
}

/// What was recorded.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    /// For how long it was recorded.
    pub(crate) seconds: f64,
    /// The calls that succeeded.
    pub(crate) calls: u64,
    /// The calls that failed, by status.
    pub(crate) failures: BTreeMap<String, u64>,
    /// One of the failures.
    pub(crate) example: Option<String>,
    /// Of the calls that succeeded.
    pub(crate) latency: Latency,
}

/// Percentiles in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    pub(crate) max: f64,
    pub(crate) mean: f64,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            phase: Cell::new(Phase::WarmUp),
            opened: Cell::new(None),
            closed: Cell::new(None),
            unanswered: Cell::new(0),
            latencies: RefCell::new(histogram()),
            failures: RefCell::default(),
            example: RefCell::default(),
        }
    }

    pub(crate) fn open(&self) {
        self.phase.set(Phase::Open);
        self.opened.set(Some(Instant::now()));
    }

    /// Counts nothing from here on.
    pub(crate) fn close(&self) {
        self.phase.set(Phase::Closed);
        self.closed.set(Some(Instant::now()));
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.phase.get() == Phase::Closed
    }

    /// Whether calls count at present.
    pub(crate) fn is_open(&self) -> bool {
        self.phase.get() == Phase::Open
    }

    /// Announces a call, which counts as failed until it is added.
    pub(crate) fn expect_one(&self) {
        self.unanswered.set(self.unanswered.get() + 1);
    }

    /// Counts a call.
    pub(crate) fn add<T>(&self, latency: Duration, result: &Result<T, Failure>) {
        self.unanswered.set(self.unanswered.get().saturating_sub(1));
        match result {
            Ok(_) => {
                let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
                self.latencies.borrow_mut().saturating_record(nanoseconds);
            }
            Err(failure) => {
                *self
                    .failures
                    .borrow_mut()
                    .entry(failure.name())
                    .or_default() += 1;
                self.example
                    .borrow_mut()
                    .get_or_insert_with(|| failure.to_string());
            }
        }
    }

    /// What was counted between opening and closing.
    pub(crate) fn record(&self) -> Record {
        let latencies = self.latencies.borrow();
        let failures = self.failures.borrow();
        let failures = failures.iter().map(|(name, n)| ((*name).to_owned(), *n));
        let unanswered = Some(self.unanswered.get()).filter(|n| *n > 0);
        let unanswered = unanswered.map(|n| ("UNANSWERED".to_owned(), n));
        let closed = self.closed.get().unwrap_or_else(Instant::now);
        let opened = self.opened.get().unwrap_or(closed);
        Record {
            seconds: closed.duration_since(opened).as_secs_f64(),
            calls: latencies.len(),
            failures: failures.chain(unanswered).collect(),
            example: self.example.borrow().clone(),
            latency: Latency::new(&latencies),
        }
    }
}

impl Record {
    pub(crate) fn per_second(&self) -> f64 {
        if self.seconds > 0.0 {
            self.calls as f64 / self.seconds
        } else {
            0.0
        }
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

impl Latency {
    pub(crate) fn new(nanoseconds: &Histogram<u64>) -> Self {
        let at = |quantile| nanoseconds.value_at_quantile(quantile) as f64 / 1e6;
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: nanoseconds.max() as f64 / 1e6,
            mean: nanoseconds.mean() / 1e6,
        }
    }
}

/// Nanoseconds up to ten minutes, to three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 600_000_000_000, 3)
        .expect("the bounds are constants in the right order")
}
