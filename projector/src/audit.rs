//! Holding the read models against the log, some circles at a time.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use event_store::EventStore;
use read_model::{Cursor, Partition, RepairMode, Sweep};
use service_kit::program::chain;
use shared_domain::CircleId;

use crate::order::{OrderError, Orders};
use crate::progress::{Latest, State};
use crate::project::StepError;
use crate::rebuild::Rebuilds;

/// How many circles are compared at once: Redis answers no query meanwhile, and the read models get
/// no event.
const AT_ONCE: usize = 5;

/// What an audit found, so far or in a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Circles compared.
    pub(crate) circles: u64,
    /// Circles that were shown wrongly.
    pub(crate) divergent: BTreeSet<CircleId>,
    /// Entries of indexes that belong to no circle.
    pub(crate) stray: u64,
}

impl Findings {
    pub(crate) fn add(&mut self, part: Self) {
        self.circles += part.circles;
        self.divergent.extend(part.divergent);
        self.stray += part.stray;
    }
}

/// What is still to be looked at.
enum Stage {
    /// These, and nothing else.
    Given(VecDeque<CircleId>),
    /// Every circle that the log knows, behind this one.
    Log(Option<CircleId>),
    /// Every circle that is shown, in the partition, from the cursor on: the log may not know it.
    Shown(usize, Cursor),
    /// Every entry of the indexes, in the partition.
    Indexes(usize, Sweep),
}

/// An audit in progress.
pub(crate) struct Audit {
    log: EventStore,
    partitions: Vec<Partition>,
    orders: Orders,
    mode: RepairMode,
    stage: Stage,
}

impl Audit {
    /// Of some circles, or of everything where none are given.
    pub(crate) fn new(
        log: EventStore,
        partitions: Vec<Partition>,
        orders: Orders,
        mode: RepairMode,
        circles: Vec<CircleId>,
    ) -> Self {
        Self {
            log,
            partitions,
            orders,
            mode,
            stage: match circles.is_empty() {
                true => Stage::Log(None),
                false => Stage::Given(circles.into()),
            },
        }
    }

    /// Looks at the next part; none at the end. Circles whose events the log can't tell are passed
    /// over by whoever goes on after the error.
    pub(crate) async fn next(&mut self) -> Result<Option<Findings>, OrderError> {
        let (ids, next) = match &mut self.stage {
            Stage::Given(circles) => {
                let part: BTreeSet<CircleId> =
                    circles.drain(..circles.len().min(AT_ONCE)).collect();
                if part.is_empty() {
                    return Ok(None);
                }
                (part, Stage::Given(std::mem::take(circles)))
            }
            Stage::Log(after) => {
                let ids = self.log.circle_ids(*after, AT_ONCE as u32).await;
                let ids = ids.map_err(StepError::from)?;
                let next = match ids.last() {
                    Some(last) => Stage::Log(Some(*last)),
                    None => Stage::Shown(0, Cursor::begin()),
                };
                (ids.into_iter().collect(), next)
            }
            Stage::Shown(n, cursor) => {
                let n = *n;
                let Some(partition) = self.partitions.get(n) else {
                    self.stage = Stage::Indexes(0, Sweep::BEGIN);
                    return Ok(Some(Findings::default()));
                };
                let found = partition.scan(cursor).await.map_err(StepError::from)?;
                let ids: Vec<CircleId> = found.ids.into_iter().collect();
                let known = self
                    .log
                    .known_circles(&ids)
                    .await
                    .map_err(StepError::from)?;
                let unknown = ids.into_iter().filter(|id| !known.contains(id)).collect();
                let next = match found.next {
                    None => Stage::Shown(n + 1, Cursor::begin()),
                    Some(next) => Stage::Shown(n, next),
                };
                (unknown, next)
            }
            Stage::Indexes(n, from) => {
                let n = *n;
                let Some(partition) = self.partitions.get(n) else {
                    return Ok(None);
                };
                let swept = partition
                    .sweep(from, self.mode)
                    .await
                    .map_err(StepError::from)?;
                self.stage = match swept.next {
                    Some(next) => Stage::Indexes(n, next),
                    None => Stage::Indexes(n + 1, Sweep::BEGIN),
                };
                return Ok(Some(Findings {
                    stray: swept.stray,
                    ..Findings::default()
                }));
            }
        };
        let compared = self.compare(&ids).await;
        match &compared {
            Ok(_) => self.stage = next,
            Err(error) if is_damage(error) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                tracing::error!(circles = ?ids, "the log can't tell all of these circles");
                self.stage = next;
            }
            Err(_) => {}
        }
        compared.map(Some)
    }

    async fn compare(&self, ids: &BTreeSet<CircleId>) -> Result<Findings, OrderError> {
        if ids.is_empty() {
            return Ok(Findings::default());
        }
        let compared = self.orders.compare(ids.clone(), self.mode).await?;
        Ok(Findings {
            circles: ids.len() as u64,
            divergent: compared.divergent.into_iter().collect(),
            stray: 0,
        })
    }
}

/// Whether it is the log that can't be read; then it can't be later, either.
fn is_damage(error: &OrderError) -> bool {
    matches!(error, OrderError::Failed(StepError::Log(error)) if !error.is_transient())
}

/// Audits everything for ever, with repair, at about so many circles a second, while the projector
/// works and has no greater trouble, nor a rebuild, which compares everything itself.
pub(crate) async fn in_background(
    log: EventStore,
    partitions: Vec<Partition>,
    orders: Orders,
    rebuilds: Rebuilds,
    progress: Latest,
    circles_per_second: u32,
) {
    let Some(pause) = Duration::from_secs(AT_ONCE as u64).checked_div(circles_per_second) else {
        return;
    };
    let mut state = progress.subscribe();
    loop {
        let mode = RepairMode::Repair;
        let mut audit = Audit::new(
            log.clone(),
            partitions.clone(),
            orders.clone(),
            mode,
            Vec::new(),
        );
        loop {
            tokio::time::sleep(pause).await;
            rebuilds.ended().await;
            if state
                .wait_for(|progress| progress.state == State::Running)
                .await
                .is_err()
            {
                return;
            }
            match audit.next().await {
                Ok(Some(found)) => {
                    if !found.divergent.is_empty() || found.stray > 0 {
                        tracing::error!(
                            circles = found.divergent.len(), stray_entries = found.stray,
                            first = ?found.divergent.first().map(ToString::to_string),
                            "the read model was not what the log says; repaired"
                        );
                    }
                    progress.send_modify(|progress| progress.audited += found.circles);
                }
                Ok(None) => break,
                Err(error) if is_damage(&error) => {
                    tracing::error!(error = %chain(&error), "the audit passes circles over");
                }
                Err(error) => tracing::debug!(error = %chain(&error), "the audit waits"),
            }
        }
    }
}
