//! New read models beside those in use, and the switch to them.

use std::collections::BTreeSet;
use std::time::Duration;

use event_store::EventStore;
use read_model::{
    ChangePosition, Connection, Cursor, Lease, Partition, Phase, RepairMode, SpareError, Standing,
    Sweep, open_spare, partitions, switch,
};
use service_kit::program::chain;
use shared_domain::CircleId;

use crate::order::{OrderError, Orders};
use crate::project::{IN_MEMORY, Options, Projector, Step, StepError};

/// Events in one step: Redis answers no query meanwhile.
const BATCH: u32 = 100;

/// How many circles are compared at once.
const COMPARED: usize = 10;

/// Read models in the spare database.
pub(crate) struct Spare {
    connection: Connection,
    live: Vec<Partition>,
    lease: Lease,
    live_connection: Connection,
    pub(crate) projector: Projector,
    /// How many events are in.
    events: u64,
    /// Circles that the read models in use show otherwise.
    divergent: BTreeSet<CircleId>,
}

/// Where to build.
#[derive(Clone)]
pub(crate) struct Place {
    /// The read models in use.
    pub(crate) live: Connection,
    /// The number of the spare logical database.
    pub(crate) database: u8,
    pub(crate) changes_kept: u32,
    pub(crate) lease: Duration,
}

/// Why the new read models are not in use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SwitchError {
    /// Another projector works, or this one stops.
    #[error("another projector works")]
    NotLeader,
    /// Somebody else writes into either database, or the log lost its tail.
    #[error("another projector interfered, or the log lost its tail")]
    Superseded,
    /// No answer came. The read models in use are whole, old or new.
    #[error("whether the new read models are in use is not known")]
    Unknown(#[source] read_model::Error),
    /// There can be none, or they can't be put to use.
    #[error(transparent)]
    Spare(#[from] SpareError),
    /// The log or the read models failed.
    #[error(transparent)]
    Failed(#[from] StepError),
}

impl From<read_model::Error> for SwitchError {
    fn from(error: read_model::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<OrderError> for SwitchError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::NotLeader => Self::NotLeader,
            OrderError::Superseded => Self::Superseded,
            OrderError::Failed(error) => Self::Failed(error),
        }
    }
}

/// How the read models in use differ from the new ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) circles: u64,
    pub(crate) divergent: BTreeSet<CircleId>,
    pub(crate) stray: u64,
}

impl Spare {
    /// Begins new read models, with the holes of the log that the present ones let pass.
    pub(crate) async fn begin(
        log: EventStore,
        place: &Place,
        holder: &str,
    ) -> Result<Self, SwitchError> {
        let connection = open_spare(&place.live, place.database).await?;
        let live = partitions(&place.live);
        let mut spare = Vec::new();
        for partition in partitions(&connection) {
            let partition = partition.silent().keeping(place.changes_kept);
            let standing = partition.standing().await?;
            let begun = partition.begin(standing.as_ref(), holder).await?;
            begun.ok_or(SwitchError::Superseded)?;
            spare.push(partition);
        }
        for (after, next) in live[0].holes().await? {
            spare[0].let_pass(after, next).await?;
        }
        let options = Options {
            holder: holder.to_owned(),
            batch: BATCH,
            completes: false,
            in_memory: IN_MEMORY,
        };
        // Long enough to last over the switch; then it is renewed as ever.
        let lease = Lease::new(spare[0].clone(), holder.to_owned(), place.lease);
        Ok(Self {
            projector: Projector::new(log, spare, connection.layout(), options),
            events: 0,
            connection,
            live,
            lease,
            live_connection: place.live.clone(),
            divergent: BTreeSet::new(),
        })
    }

    /// One step of building. Tells how many events are in, and whether that is all of the log.
    pub(crate) async fn step(&mut self) -> Result<(u64, bool), SwitchError> {
        let step = match self.projector.step().await {
            Err(error) if error.is_transient() && self.projector.is_filling() => {
                tracing::warn!(error = %chain(&error), "trying again");
                return Ok((self.events, false));
            }
            step => step?,
        };
        let is_end = match step {
            Step::Filled { events } => {
                self.events += events as u64;
                false
            }
            Step::Applied { checkpoint, .. } | Step::Rewound { common: checkpoint } => {
                self.events = checkpoint.get();
                false
            }
            Step::Idle { checkpoint } => {
                self.events = checkpoint.get();
                true
            }
            Step::Superseded => return Err(SwitchError::Superseded),
        };
        Ok((self.events, is_end))
    }

    /// Compares the read models in use with these, while only those move on. What differs is
    /// held against the log, which decides.
    pub(crate) async fn compare(&mut self, orders: &Orders) -> Result<Difference, SwitchError> {
        let mut difference = Difference::default();
        let ours = self.projector.partitions.clone();
        for (live, spare) in self.live.iter().zip(&ours) {
            let mut next = Some(Cursor::begin());
            while let Some(cursor) = next {
                let found = spare.scan(&cursor).await?;
                next = found.next;
                difference.circles += found.histories.len() as u64;
                for ids in found.histories.chunks(COMPARED) {
                    let (one, other) = (live.digests(ids).await?, spare.digests(ids).await?);
                    let suspects = ids
                        .iter()
                        .zip(one.into_iter().zip(other))
                        .filter(|(_, (one, other))| one != other)
                        .map(|(id, _)| *id);
                    Self::ask(orders, suspects.collect(), &mut difference).await?;
                }
            }
            // Those that only the present ones have.
            let mut next = Some(Cursor::begin());
            while let Some(cursor) = next {
                let found = live.scan(&cursor).await?;
                next = found.next;
                let ids: Vec<CircleId> = found.ids.into_iter().collect();
                let known = spare.latest(&ids).await?;
                let suspects = ids
                    .into_iter()
                    .zip(known)
                    .filter(|(_, known)| known.is_none())
                    .map(|(id, _)| id);
                Self::ask(orders, suspects.collect(), &mut difference).await?;
            }
            let mut place = Some(Sweep::BEGIN);
            while let Some(from) = place {
                let swept = live.sweep(&from, RepairMode::Compare).await?;
                difference.stray += swept.stray;
                place = swept.next;
            }
        }
        self.divergent.clone_from(&difference.divergent);
        Ok(difference)
    }

    /// Lets the log decide about circles that look different.
    async fn ask(
        orders: &Orders,
        suspects: BTreeSet<CircleId>,
        difference: &mut Difference,
    ) -> Result<(), SwitchError> {
        if !suspects.is_empty() {
            let compared = orders.compare(suspects, RepairMode::Compare).await?;
            difference.divergent.extend(compared.divergent);
        }
        Ok(())
    }

    /// Removes what was built, or what it has replaced.
    pub(crate) async fn clear(&mut self) -> Result<(), SwitchError> {
        for partition in &self.projector.partitions {
            let standing = partition.standing().await?;
            partition
                .begin(standing.as_ref(), &self.projector.options.holder)
                .await?;
        }
        Ok(self.lease.give_back().await?)
    }
}

impl Projector {
    /// Puts new read models in the place of the present ones, which apply nothing meanwhile.
    pub(crate) async fn switch_to(
        &mut self,
        mut spare: Box<Spare>,
    ) -> Result<Box<Spare>, SwitchError> {
        let Some(state) = self.take_state().await? else {
            return Err(SwitchError::Superseded);
        };
        // No reader may be taken back.
        let reached = state.furthest_behind().sequence.get();
        loop {
            let (events, is_end) = spare.step().await?;
            if is_end && events < reached {
                return Err(SwitchError::Superseded);
            }
            if is_end {
                break;
            }
        }
        // If the log lost what is applied here, watches have to be told, which the present read
        // models do as they go back.
        if !self.matches(&state).await? {
            return Err(SwitchError::Superseded);
        }
        let mut corrections = Vec::new();
        let mut old = Vec::new();
        for (n, live) in self.partitions.iter().enumerate() {
            let (place, mut circles) = live.corrections().await?;
            let here = |id: &&CircleId| self.layout.partition_of(**id) == n;
            circles.extend(spare.divergent.iter().filter(here).copied());
            corrections.push((place, circles));
            let standing = state.partitions[n].standing;
            spare.projector.partitions[n]
                .succeed(live, &standing)
                .await?;
            old.push(standing);
        }
        // What is known of the revision is outdated.
        spare.projector.refresh_standings().await?;
        spare.projector.options.completes = true;
        while spare.projector.is_building() {
            if let Step::Superseded | Step::Rewound { .. } = spare.projector.step().await? {
                return Err(SwitchError::Superseded);
            }
        }
        let new = self.tell(&spare, &corrections).await?;
        if !spare.lease.take(None).await? {
            return Err(SwitchError::Superseded);
        }
        self.forget();
        match switch(&spare.live_connection, &spare.connection, &old, &new).await {
            Ok(true) => Ok(spare),
            Ok(false) => Err(SwitchError::Superseded),
            Err(SpareError::Redis(error)) if error.is_transient() => {
                Err(SwitchError::Unknown(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Watches go on without a gap: they are told what is shown otherwise now. Answers where the
    /// new read models are.
    async fn tell(
        &self,
        spare: &Spare,
        corrections: &[(ChangePosition, BTreeSet<CircleId>)],
    ) -> Result<Vec<Standing>, SwitchError> {
        let mut standings = Vec::new();
        for (partition, (place, circles)) in spare.projector.partitions.iter().zip(corrections) {
            let standing = partition.standing().await?;
            let standing = standing
                .filter(|standing| standing.phase == Phase::Live)
                .ok_or(SwitchError::Superseded)?;
            partition.correct(&standing, *place, circles).await?;
            standings.push(standing);
        }
        Ok(standings)
    }

    /// Asks again where the read models are, and keeps what is known of their stage.
    async fn refresh_standings(&mut self) -> Result<(), StepError> {
        let Some(state) = &mut self.state else {
            return Ok(());
        };
        for (state, partition) in state.partitions.iter_mut().zip(&self.partitions) {
            if let Some(standing) = partition.standing().await? {
                state.standing = standing;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "spare_tests.rs"]
mod tests;
