//! The changes of all partitions, put into the order of the log.

use std::collections::VecDeque;

use futures_util::future::try_join_all;
use shared_domain::Sequence;

use crate::change::{ChangeEntry, ChangePosition};
use crate::changes::{ChangePage, Rewound};
use crate::error::Error;
use crate::projection::Partition;

/// Reads on, from wherever it is.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    /// Up to here everything was answered.
    horizon: Sequence,
    /// How many entries one command reads.
    count: u32,
}

/// One partition.
struct Lane {
    partition: Partition,
    /// The last entry that was read.
    read: ChangePosition,
    /// Entries that were read, while another partition has not come so far.
    pending: VecDeque<ChangeEntry>,
    /// Up to here everything was answered.
    told: ChangePosition,
    checkpoint: Sequence,
    floor: Sequence,
    rewound: Option<Rewound>,
    /// Whether entries are gone that were not read.
    lost: bool,
    /// Whether there may be more to read at once.
    more: bool,
}

/// What came of reading on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Entries, in their order, each with the number of its partition.
    Entries {
        entries: Vec<(usize, ChangeEntry)>,
        /// Whether there may be more at once.
        more: bool,
    },
    /// The log of these partitions lost what came after these events. Reading
    /// goes on from there, with what replaces it.
    Back(Vec<(usize, Sequence)>),
    /// Entries that were not read yet are not kept any longer.
    Lost,
    /// The read model is not built. Reading goes on where it was once it is.
    Unbuilt,
}

impl Lanes {
    /// Begins at the present; none where the read model is not built.
    pub(crate) async fn at_present(
        partitions: &[Partition],
        count: u32,
    ) -> Result<Option<Self>, Error> {
        let pages = partitions.iter().map(|lane| lane.changes_before(None, 1));
        let pages = try_join_all(pages).await?;
        let reached = |page: &ChangePage| page.checkpoint.map(|checkpoint| checkpoint.sequence);
        let Some(horizon) = pages.iter().map(reached).min().flatten() else {
            return Ok(None);
        };
        let lanes = partitions.iter().zip(&pages).map(|(partition, page)| {
            // Of a partition that is far ahead not all may be kept.
            let place = ChangePosition::of(horizon.max(page.floor));
            Lane {
                checkpoint: reached(page).unwrap_or_default(),
                floor: page.floor,
                rewound: page.rewound,
                ..Lane::at(partition.clone(), place)
            }
        });
        Ok(Some(Self {
            lanes: lanes.collect(),
            horizon,
            count,
        }))
    }

    /// Begins after `sequence`, where others have seen `rewound`.
    pub(crate) fn after(
        sequence: Sequence,
        partitions: &[Partition],
        rewound: &[Option<Rewound>],
        count: u32,
    ) -> Self {
        let lanes = partitions.iter().zip(rewound).map(|(partition, rewound)| {
            let place = ChangePosition::of(sequence);
            Lane {
                rewound: *rewound,
                ..Lane::at(partition.clone(), place)
            }
        });
        Self {
            lanes: lanes.collect(),
            horizon: sequence,
            count,
        }
    }

    /// Up to where everything was answered.
    pub(crate) fn horizon(&self) -> Sequence {
        self.horizon
    }

    /// The same for each partition.
    pub(crate) fn told(&self) -> impl Iterator<Item = ChangePosition> {
        self.lanes.iter().map(|lane| lane.told)
    }

    /// What each partition says that the log lost.
    pub(crate) fn rewound(&self) -> impl Iterator<Item = Option<Rewound>> {
        self.lanes.iter().map(|lane| lane.rewound)
    }

    /// All changes after this are kept.
    pub(crate) fn floor(&self) -> Sequence {
        let floors = self.lanes.iter().map(|lane| lane.floor);
        floors.max().unwrap_or_default()
    }

    /// Reads on; only those partitions that are not where they were `heard` to
    /// be, where that is given. When this is dropped nothing has happened.
    pub(crate) async fn step(&mut self, heard: Option<&[Option<Sequence>]>) -> Result<Step, Error> {
        let has_news = |n: usize, lane: &Lane| {
            let heard = heard.map(|heard| heard.get(n).copied().flatten());
            lane.more || heard.is_none_or(|heard| heard != Some(lane.checkpoint))
        };
        let asked: Vec<usize> = (0..self.lanes.len())
            .filter(|n| self.lanes[*n].has_room(self.count) && has_news(*n, &self.lanes[*n]))
            .collect();
        let pages = asked.iter().map(|n| {
            let lane = &self.lanes[*n];
            lane.partition.changes_after(lane.read, self.count)
        });
        let pages = try_join_all(pages).await?;
        if pages.iter().any(|page| page.checkpoint.is_none()) {
            return Ok(Step::Unbuilt);
        }
        let mut back = Vec::new();
        for (n, page) in asked.into_iter().zip(pages) {
            if let Some(common) = self.lanes[n].take(page, self.count) {
                self.horizon = self.horizon.min(common);
                back.push((n, common));
            }
        }
        if self.lanes.iter().any(|lane| lane.lost) {
            return Ok(Step::Lost);
        }
        if !back.is_empty() {
            return Ok(Step::Back(back));
        }
        let entries = self.advance();
        // One without room waits for another partition, like the others.
        let more = |lane: &Lane| lane.more && lane.has_room(self.count);
        Ok(Step::Entries {
            entries,
            more: self.lanes.iter().any(more),
        })
    }

    /// Takes what every partition has come to.
    fn advance(&mut self) -> Vec<(usize, ChangeEntry)> {
        let reached = self.lanes.iter().map(Lane::reached).min();
        let reached = reached.unwrap_or_default();
        let mut entries = Vec::new();
        for (n, lane) in self.lanes.iter_mut().enumerate() {
            while let Some(entry) = lane.pending.pop_front_if(|entry| entry.position <= reached) {
                entries.push((n, entry));
            }
            if let Some((_, last)) = entries.last().filter(|(of, _)| *of == n) {
                lane.told = lane.told.max(last.position);
            }
            lane.told = lane.told.max(ChangePosition::of(reached.sequence));
        }
        entries.sort_by_key(|(n, entry)| (entry.position, *n));
        self.horizon = self.horizon.max(reached.sequence);
        entries
    }
}

impl Lane {
    fn at(partition: Partition, place: ChangePosition) -> Self {
        Self {
            partition,
            read: place,
            pending: VecDeque::new(),
            told: place,
            checkpoint: Sequence::ZERO,
            floor: Sequence::ZERO,
            rewound: None,
            lost: false,
            more: true,
        }
    }

    fn has_room(&self, count: u32) -> bool {
        self.pending.len() < count as usize
    }

    /// Takes in a page, unless the log lost what came before it: then answers
    /// where it goes on.
    fn take(&mut self, page: ChangePage, count: u32) -> Option<Sequence> {
        self.checkpoint = page.checkpoint.map_or(Sequence::ZERO, |at| at.sequence);
        self.floor = page.floor;
        // What was told can lie behind the last entry that was read, as a
        // partition need not have any for long.
        let known = self.read.max(self.told);
        if self.rewound != page.rewound {
            self.rewound = page.rewound;
            let common = page.rewound.map(|rewound| rewound.common);
            if let Some(common) = common.filter(|common| known.sequence > *common) {
                let place = ChangePosition::of(common);
                // What is not lost and was not told yet still is to be.
                self.pending.retain(|entry| entry.position <= place);
                (self.read, self.told, self.more) = (place, self.told.min(place), true);
                return Some(common);
            }
        }
        self.lost |= page.floor > known.sequence;
        self.more = page.entries.len() == count as usize;
        if let Some(last) = page.entries.last() {
            self.read = last.position;
        }
        self.pending.extend(page.entries);
        None
    }

    /// Up to where everything was read.
    fn reached(&self) -> ChangePosition {
        if self.more {
            return self.read;
        }
        ChangePosition {
            sequence: self.checkpoint,
            correction: u64::MAX,
        }
    }
}
