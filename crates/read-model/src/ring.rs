//! The last changes, in memory, from which all watches take.

use std::collections::VecDeque;
use std::sync::Arc;

use shared_domain::Sequence;

use crate::change::{ChangeEntry, ChangePosition};
use crate::changes::Rewound;
use crate::error::Error;
use crate::lanes::Lanes;

/// The last changes that were read. Each gets a number, which is never used
/// again.
pub(crate) struct Ring {
    kept: VecDeque<Kept>,
    size: usize,
    next: u64,
    /// Entries with lower numbers made room for others.
    evicted: u64,
    /// Behind entries with lower numbers, others were never read.
    lost: u64,
    /// All entries of each partition that come after this are kept.
    base: Vec<ChangePosition>,
    /// What each partition says that the log lost, and how often that changed.
    pub(crate) rewound: Vec<Option<Rewound>>,
    pub(crate) backs: u64,
    /// Everything up to here was read.
    pub(crate) horizon: Sequence,
    /// All changes after this can be read.
    pub(crate) floor: Sequence,
    /// Whether the horizon was looked at lately.
    pub(crate) fresh: bool,
    /// Why nothing can be read, where that does not pass by itself.
    pub(crate) fault: Option<Error>,
}

struct Kept {
    number: u64,
    partition: usize,
    entry: Arc<ChangeEntry>,
}

/// Why a place in the ring is not there any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It made room for others.
    Evicted,
    /// What followed can't be read any longer.
    Lost,
}

impl Ring {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            size,
            next: 0,
            evicted: 0,
            lost: 0,
            base: Vec::new(),
            rewound: Vec::new(),
            backs: 0,
            horizon: Sequence::ZERO,
            floor: Sequence::ZERO,
            fresh: false,
            fault: None,
        }
    }

    /// Forgets everything and goes on where `lanes` are. Whoever took from it
    /// before has missed something.
    pub(crate) fn restart(&mut self, lanes: &Lanes) {
        self.clear();
        self.next += 1;
        (self.evicted, self.lost) = (self.next, self.next);
        self.base = lanes.told().collect();
        self.see(lanes);
    }

    /// Frees the memory; nobody can join until it is restarted.
    pub(crate) fn clear(&mut self) {
        self.kept = VecDeque::new();
        self.base = Vec::new();
    }

    /// Takes over where `lanes` are.
    pub(crate) fn see(&mut self, lanes: &Lanes) {
        self.horizon = lanes.horizon();
        self.floor = lanes.floor();
        if !lanes.rewound().eq(self.rewound.iter().copied()) {
            self.rewound = lanes.rewound().collect();
            self.backs += 1;
        }
        self.fresh = true;
        self.fault = None;
    }

    pub(crate) fn push(&mut self, partition: usize, entry: ChangeEntry) {
        if self.kept.len() == self.size
            && let Some(oldest) = self.kept.pop_front()
        {
            self.evicted = oldest.number + 1;
            self.base[oldest.partition] = oldest.entry.position;
        }
        self.kept.push_back(Kept {
            number: self.next,
            partition,
            entry: Arc::new(entry),
        });
        self.next += 1;
    }

    /// Drops what the log lost of a partition after `common`.
    pub(crate) fn go_back(&mut self, partition: usize, common: Sequence) {
        let common = ChangePosition::of(common);
        self.kept
            .retain(|kept| kept.partition != partition || kept.entry.position <= common);
        self.base[partition] = self.base[partition].min(common);
    }

    /// The place behind all entries.
    pub(crate) fn end(&self) -> u64 {
        self.next
    }

    /// The place to go on for one who was told everything of each partition up
    /// to there; none where the ring does not reach so far back.
    pub(crate) fn join(&self, told: &[ChangePosition]) -> Option<u64> {
        let reaches = told.len() == self.base.len()
            && told.iter().zip(&self.base).all(|(told, base)| told >= base);
        let news = |kept: &&Kept| kept.entry.position > told[kept.partition];
        reaches.then(|| {
            let first = self.kept.iter().find(news);
            first.map_or(self.next, |kept| kept.number)
        })
    }

    /// The entries from a place on, each with the place behind it and its
    /// partition.
    pub(crate) fn after(
        &self,
        place: u64,
    ) -> Result<impl Iterator<Item = (u64, usize, &Arc<ChangeEntry>)>, Gone> {
        if place < self.lost {
            return Err(Gone::Lost);
        }
        if place < self.evicted {
            return Err(Gone::Evicted);
        }
        let first = self.kept.partition_point(|kept| kept.number < place);
        let kept = self.kept.range(first..);
        Ok(kept.map(|kept| (kept.number + 1, kept.partition, &kept.entry)))
    }
}
