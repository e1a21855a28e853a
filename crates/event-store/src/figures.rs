//! What a writer tells of itself, for whoever measures it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shared_domain::Sequence;
use tokio::sync::mpsc::WeakSender;

use crate::worker::Job;

/// A batch that was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How many commands it had. Not each of them makes an event.
    pub commands: usize,
    /// How long its transaction took, the commit included.
    pub took: Duration,
}

/// What a writer tells of itself: counts since its start, and how things are. Cheap to clone, and
/// keeps no writer from ending.
#[derive(Clone, Debug)]
pub struct Figures {
    pub(crate) counts: Arc<Counts>,
    pub(crate) queue: WeakSender<Job>,
    pub(crate) ignored_snapshots: Arc<AtomicU64>,
}

/// What is counted where it happens.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    refused: AtomicU64,
    failures: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    head: AtomicU64,
}

impl Counts {
    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_look(&self, found: bool) {
        let count = if found { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn see_head(&self, head: Sequence) {
        self.head.store(head.get(), Ordering::Relaxed);
    }
}

impl Figures {
    /// Submissions in the queue.
    #[must_use]
    pub fn queue_length(&self) -> u64 {
        let queue = self.queue.upgrade();
        queue.map_or(0, |queue| (queue.max_capacity() - queue.capacity()) as u64)
    }

    /// Submissions that were turned away since the queue was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.counts.refused.load(Ordering::Relaxed)
    }

    /// Transactions that failed, those that were tried again included.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.counts.failures.load(Ordering::Relaxed)
    }

    /// Circles that a command found in memory.
    #[must_use]
    pub fn cache_hits(&self) -> u64 {
        self.counts.hits.load(Ordering::Relaxed)
    }

    /// Circles that had to be loaded for a command.
    #[must_use]
    pub fn cache_misses(&self) -> u64 {
        self.counts.misses.load(Ordering::Relaxed)
    }

    /// Where the log ended after the last batch; none before the first one. Others may have
    /// appended since.
    #[must_use]
    pub fn head(&self) -> Option<Sequence> {
        let head = self.counts.head.load(Ordering::Relaxed);
        (head > 0).then_some(Sequence::new(head))
    }

    /// As [`EventStore::ignored_snapshots`](crate::EventStore::ignored_snapshots).
    #[must_use]
    pub fn ignored_snapshots(&self) -> u64 {
        self.ignored_snapshots.load(Ordering::Relaxed)
    }
}
