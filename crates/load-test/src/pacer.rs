//! Tells when calls are due, at a fixed rate.

use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// A call to make now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    /// When it was due. Latencies count from here.
    pub(crate) at: Instant,
    /// Whether it belongs to the measurement, or to the warm-up.
    pub(crate) counts: bool,
}

/// Calls are handed over in groups, at most so often: every time costs the machine two switches of
/// threads. A call can so be late by as much, which counts as its latency.
const TICK: Duration = Duration::from_micros(250);

/// Starts a thread that sends `per_second` calls until the measurement is over, or nobody listens any more; then
/// hangs up.
///
/// tokio's own clock is too coarse for this: it wakes up every millisecond at best.
pub(crate) fn start(
    per_second: u32,
    warm_up: Duration,
    measured: Duration,
) -> mpsc::UnboundedReceiver<Due> {
    let (send, receive) = mpsc::unbounded_channel();
    let begin = Instant::now();
    let per_second = f64::from(per_second.max(1));
    thread::spawn(move || {
        let mut n: u32 = 0;
        loop {
            let after = Duration::from_secs_f64(f64::from(n) / per_second);
            if after >= warm_up.saturating_add(measured) {
                return;
            }
            let at = begin + after;
            let early = at.saturating_duration_since(Instant::now());
            if !early.is_zero() {
                thread::sleep(early.max(TICK));
            }
            let due = Due {
                at,
                counts: after >= warm_up,
            };
            if send.send(due).is_err() {
                return;
            }
            n += 1;
        }
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_due_evenly_whatever_happens() {
        let (warm_up, measured) = (Duration::from_millis(20), Duration::from_millis(40));
        let mut due = start(1_000, warm_up, measured);
        let mut all = Vec::new();
        while let Some(due) = due.blocking_recv() {
            all.push(due);
        }
        assert_eq!(all.len(), 60);
        assert_eq!(all.iter().filter(|due| due.counts).count(), 40);
        let spread = all[59].at - all[0].at;
        assert!(spread.abs_diff(Duration::from_millis(59)) < Duration::from_micros(10));
    }
}
