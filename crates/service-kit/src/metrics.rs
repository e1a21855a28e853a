//! Metrics for Prometheus: what a service measures, and where that is read.
//!
//! Each service has a [`Metrics`] of its own, so that several of them in one process count apart. What a service
//! knows by itself it writes into its instruments before each look, by [`Metrics::before_scrape`]; nothing is
//! computed while nobody looks.
//!
//! ```
//! use service_kit::metrics::Metrics;
//!
//! let metrics = Metrics::new();
//! let refused = metrics.counter("example_refused_total", "Requests that were refused.");
//! let waiting = metrics.gauge("example_waiting", "Requests that wait.");
//! refused.add(1);
//! waiting.set(3);
//! ```

mod calls;
mod http;

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntGauge, Opts, Registry, TextEncoder,
    core::Collector,
};
use tokio::time;

pub(crate) use self::{
    calls::{CallMetrics, MeasuredCalls},
    http::serve,
};

/// Where the metrics are served, by HTTP. Nowhere unless set.
pub const LISTEN: &str = "CIRCLES_METRICS_LISTEN";

/// How long a look may take to get ready. After that it shows what was there before.
const PREPARATION: Duration = Duration::from_secs(2);

/// Bounds, in seconds, for what takes from half a millisecond to some seconds.
pub const SECONDS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Bounds for sizes of batches.
pub const SIZES: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 2_048.0, 4_096.0,
];

type Preparation =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync + 'static>;

/// What a service measures. Clones are handles of the same.
///
/// Its methods make instruments. Their names are constants of the program, each used once.
///
/// # Panics
/// They panic when a name is malformed or used before, which the first start of a program shows.
#[derive(Clone)]
pub struct Metrics {
    shared: Arc<Shared>,
}

struct Shared {
    registry: Registry,
    preparations: Mutex<Vec<Arc<Preparation>>>,
    /// One look at a time, so that however many come, those who are asked have one question at a time.
    looking: tokio::sync::Mutex<()>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                registry: Registry::new(),
                preparations: Mutex::default(),
                looking: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Something that is counted. The name ends in `_total`.
    #[must_use]
    pub fn counter(&self, name: &'static str, help: &'static str) -> Counter {
        let counter = IntCounter::new(name, help);
        Counter(self.register(counter))
    }

    /// Something that goes up and down. It is not shown until it is set.
    #[must_use]
    pub fn gauge(&self, name: &'static str, help: &'static str) -> Gauge {
        Gauge(self.register(GaugeVec::new(Opts::new(name, help), &[])))
    }

    /// Which one of some states something has: 1 for that one, 0 for the others.
    #[must_use]
    pub fn state(
        &self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        all: &'static [&'static str],
    ) -> State {
        let gauges = self.register(GaugeVec::new(Opts::new(name, help), &[label]));
        State { gauges, all }
    }

    /// How often something had which size, or took how long. `bounds` are the upper ones, in base units.
    #[must_use]
    pub fn histogram(
        &self,
        name: &'static str,
        help: &'static str,
        bounds: &'static [f64],
    ) -> Histogram {
        let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        Histogram(self.register(prometheus::Histogram::with_opts(options)))
    }

    fn histograms(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[&str],
        bounds: &'static [f64],
    ) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        self.register(HistogramVec::new(options, labels))
    }

    pub(crate) fn level(&self, name: &'static str, help: &'static str) -> Level {
        Level(self.register(IntGauge::new(name, help)))
    }

    fn register<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let made = made.expect("the names are constants, and well-formed");
        let registered = self.shared.registry.register(Box::new(made.clone()));
        registered.expect("each name is used once");
        made
    }

    /// Has `prepare` done before each look, for what is read elsewhere. When it takes more than two seconds it is
    /// dropped, and the instruments show what they showed before.
    pub fn before_scrape<F: Future<Output = ()> + Send + 'static>(
        &self,
        prepare: impl Fn() -> F + Send + Sync + 'static,
    ) {
        let prepare: Preparation = Box::new(move || Box::pin(prepare()));
        self.preparations().push(Arc::new(prepare));
    }

    fn preparations(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Preparation>>> {
        let preparations = self.shared.preparations.lock();
        preparations.unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything at this moment, in Prometheus's text format.
    pub(crate) async fn scrape(&self) -> String {
        self.scrape_within(PREPARATION).await
    }

    async fn scrape_within(&self, limit: Duration) -> String {
        let _alone = self.shared.looking.lock().await;
        let preparations = self.preparations().clone();
        let prepared = time::timeout(limit, async {
            for prepare in preparations {
                prepare().await;
            }
        });
        if prepared.await.is_err() {
            tracing::debug!("the metrics were not all ready in time");
        }
        let families = self.shared.registry.gather();
        // It refuses a family without metrics alone, which is not gathered.
        TextEncoder::new()
            .encode_to_string(&families)
            .unwrap_or_default()
    }
}

/// Something that is counted.
#[derive(Debug, Clone)]
pub struct Counter(IntCounter);

impl Counter {
    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.inc_by(count);
    }

    /// As many as somebody else has counted. Fewer than before change nothing.
    pub fn raise_to(&self, count: u64) {
        self.0.inc_by(count.saturating_sub(self.0.get()));
    }
}

/// Something that goes up and down.
#[derive(Debug, Clone)]
pub struct Gauge(GaugeVec);

impl Gauge {
    /// It is so much. (A number above 2^53 loses its last digits.)
    pub fn set(&self, value: u64) {
        self.set_real(value as f64);
    }

    /// It is so much, in parts.
    pub fn set_real(&self, value: f64) {
        self.0.with_label_values::<&str>(&[]).set(value);
    }

    /// It is so much, or not known and so not shown.
    pub fn set_or_hide(&self, value: Option<u64>) {
        match value {
            Some(value) => self.set(value),
            None => self.hide(),
        }
    }

    /// It is not known, and so not shown.
    pub fn hide(&self) {
        self.0.reset();
    }
}

/// How many of something there are.
#[derive(Debug, Clone)]
pub(crate) struct Level(IntGauge);

impl Level {
    /// One more.
    pub(crate) fn rise(&self) {
        self.0.inc();
    }

    /// One fewer.
    pub(crate) fn fall(&self) {
        self.0.dec();
    }
}

/// Which one of some states something has.
#[derive(Debug, Clone)]
pub struct State {
    gauges: GaugeVec,
    all: &'static [&'static str],
}

impl State {
    /// It has this one, which is one of those that were named.
    pub fn set(&self, state: &str) {
        for known in self.all {
            let is = f64::from(u8::from(*known == state));
            self.gauges.with_label_values(&[known]).set(is);
        }
    }
}

/// How often something had which size, or took how long.
#[derive(Debug, Clone)]
pub struct Histogram(prometheus::Histogram);

impl Histogram {
    /// One of this size.
    pub fn observe(&self, size: usize) {
        self.0.observe(size as f64);
    }

    /// One that took so long.
    pub fn took(&self, duration: Duration) {
        self.0.observe(duration.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use std::future;

    use super::*;

    #[tokio::test]
    async fn tells_what_was_measured() {
        let metrics = Metrics::new();
        let counter = metrics.counter("a_total", "As.");
        let gauge = metrics.gauge("b", "Bs.");
        let hidden = metrics.gauge("c", "Cs.");
        let state = metrics.state("d_state", "Ds.", "state", &["up", "down"]);
        let sizes = metrics.histogram("e", "Es.", &[1.0, 10.0]);
        counter.add(2);
        counter.raise_to(5);
        counter.raise_to(4);
        gauge.set_real(0.5);
        hidden.set(1);
        hidden.set_or_hide(None);
        state.set("up");
        state.set("down");
        sizes.observe(7);
        let expected = "# HELP a_total As.\n# TYPE a_total counter\na_total 5\n\
             # HELP b Bs.\n# TYPE b gauge\nb 0.5\n\
             # HELP d_state Ds.\n# TYPE d_state gauge\nd_state{state=\"down\"} 1\nd_state{state=\"up\"} 0\n\
             # HELP e Es.\n# TYPE e histogram\ne_bucket{le=\"1\"} 0\ne_bucket{le=\"10\"} 1\n\
             e_bucket{le=\"+Inf\"} 1\ne_sum 7\ne_count 1\n";
        assert_eq!(metrics.scrape().await, expected);
    }

    #[tokio::test]
    async fn is_not_held_up_by_what_is_read_elsewhere() {
        let metrics = Metrics::new();
        let counter = metrics.counter("a_total", "As.");
        metrics.before_scrape(move || {
            counter.add(1);
            future::ready(())
        });
        metrics.before_scrape(future::pending);
        let limit = Duration::from_millis(1);
        assert!(metrics.scrape_within(limit).await.ends_with("a_total 1\n"));
        assert!(metrics.scrape_within(limit).await.ends_with("a_total 2\n"));
    }
}
