//! What the service measures besides its calls.

use std::sync::Arc;
use std::time::Duration;

use crate::freshness::age;
use read_model::{Connection, Reader};
use service_kit::metrics::{Counter, Gauge, Histogram, Metrics, SECONDS};

/// Queries that had to wait for their minimal sequence.
pub(crate) struct Waits {
    durations: Histogram,
    in_vain: Counter,
}

impl Waits {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            durations: metrics.histogram(
                "circles_query_wait_duration_seconds",
                "How long queries waited for their min_sequence, of those that had to.",
                SECONDS,
            ),
            in_vain: metrics.counter(
                "circles_query_waits_in_vain_total",
                "Queries whose min_sequence was not reached in time.",
            ),
        }
    }

    pub(crate) fn ended(&self, took: Duration, reached: bool) {
        self.durations.took(took);
        self.in_vain.add(u64::from(!reached));
    }
}

/// What is read before each look.
struct Readings {
    checkpoint: Gauge,
    age: Gauge,
    watches: Gauge,
    commands: Counter,
}

/// Has read how far the read model is, and what the service does with it.
pub(crate) fn read(
    metrics: &Metrics,
    reader: Reader,
    redis: Connection,
    watches: impl Fn() -> usize + Send + Sync + 'static,
) {
    let readings = Arc::new(Readings {
        checkpoint: metrics.gauge(
            "circles_query_checkpoint_sequence",
            "The last event that the read model has; not there where none is built, or it can't be read.",
        ),
        age: metrics.gauge(
            "circles_query_age_seconds",
            "How old the read model is at most: everything older is in it. Told a few times in a lease's time.",
        ),
        watches: metrics.gauge("circles_query_watches", "Watches that are open."),
        commands: metrics.counter(
            "circles_query_redis_commands_total",
            "Commands sent to Redis, each of which is a round trip.",
        ),
    });
    metrics.before_scrape(move || {
        readings.watches.set(watches() as u64);
        readings.commands.raise_to(redis.commands());
        let (readings, reader) = (Arc::clone(&readings), reader.clone());
        async move {
            // Of no circle, which is the question for the checkpoint alone. Where it takes too long
            // there is no answer, too.
            readings.checkpoint.hide();
            readings.age.hide();
            if let Ok(Some(as_of)) = reader.complete_as_of().await {
                readings.age.set_real(age(as_of).as_secs_f64());
            }
            if let Ok(found) = reader.batch_get(&[]).await {
                readings.checkpoint.set(found.sequence.get());
            }
        }
    });
}
