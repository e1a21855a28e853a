//! The whole history of every circle, for new read models, read in the background.
//!
//! A log that fits into memory is read in its own order, which costs the database a third of
//! what it takes to look up the events of each circle. A larger one is read circle by circle.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use event_store::{EventStore, LogEntry, StoreError};
use read_model::{ChangeEntry, ChangePosition, Repair};
use shared_domain::{CircleId, Sequence};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::fold::{Known, Refold};
use crate::task;

/// How many events one statement reads in the order of the log. More would take the processor from queries
/// for longer at a stretch.
const PAGE: u32 = 800;

/// Of how many circles one statement reads the events.
const CIRCLES: u32 = 300;

/// About how many events of whole circles are handed over at once, or changes.
const HANDED_OVER: usize = 500;

/// How long after an error of the log it is read again.
const RETRY: Duration = Duration::from_millis(200);

/// What is gathered.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// Events after this one are left for later.
    pub(crate) until: Sequence,
    /// Changes up to here are not kept.
    pub(crate) entries_after: Sequence,
    /// How many events there are.
    pub(crate) events: u64,
    /// The holes that the log may have.
    pub(crate) holes: BTreeMap<Sequence, Sequence>,
}

/// Some of what is gathered.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Circles with all that happened to them.
    pub(crate) circles: Vec<(Repair, Known)>,
    /// What watches are told, in the order of the log.
    pub(crate) changes: Vec<ChangeEntry>,
    /// How much of the work that is, in events.
    pub(crate) events: usize,
}

/// What is gathered while what was before is written.
#[derive(Debug)]
pub(crate) struct Gathering {
    /// Parts, and between them that the log can't be reached.
    parts: mpsc::Receiver<Result<Part, StoreError>>,
    task: AbortOnDropHandle<Result<(), StoreError>>,
}

impl Gathering {
    /// Begins. A log of more than `in_memory` events is read circle by circle.
    pub(crate) fn begin(log: EventStore, scope: Scope, in_memory: u64) -> Self {
        let (send, parts) = mpsc::channel(1);
        let gatherer = Gatherer { log, scope, send };
        let task = task::begin(async move {
            match gatherer.scope.until.get() <= in_memory {
                true => gatherer.all().await,
                false => gatherer.by_circle().await,
            }
        });
        Self { parts, task }
    }

    /// Waits for the next part; none after the last. The error in its place is an outage: it goes
    /// on by itself when that ends.
    pub(crate) async fn next(
        mut self,
    ) -> Result<Option<(Result<Part, StoreError>, Self)>, StoreError> {
        match self.parts.recv().await {
            Some(part) => Ok(Some((part, self))),
            None => task::end(self.task).await.map(|()| None),
        }
    }
}

#[derive(Clone)]
struct Gatherer {
    log: EventStore,
    scope: Scope,
    send: mpsc::Sender<Result<Part, StoreError>>,
}

impl Gatherer {
    /// Reads the log to its end, then hands over its circles. Each event counts as half done once it
    /// is read.
    async fn all(self) -> Result<(), StoreError> {
        let mut circles: HashMap<CircleId, Refold> = HashMap::new();
        let mut read = 0;
        let mut ahead = Some(self.read(Sequence::ZERO.next()));
        while let Some(page) = ahead.take() {
            let page = task::end(page).await?;
            if let Some(last) = page.last()
                && last.sequence < self.scope.until
            {
                ahead = Some(self.read(last.sequence.next()));
            }
            let mut part = Part::default();
            let events = page
                .iter()
                .take_while(|event| event.sequence <= self.scope.until);
            for event in events {
                let circle = circles.entry(event.circle_id);
                let circle = circle.or_insert_with(|| Refold::begin(event.circle_id));
                part.changes.extend(self.add(circle, event));
                part.events += read % 2;
                read += 1;
            }
            self.hand_over(part).await;
        }
        // That no event is left out where their number is odd.
        let mut rest = read - read / 2;
        let mut circles: Vec<(CircleId, Refold)> = circles.into_iter().collect();
        circles.sort_unstable_by_key(|(id, _)| *id);
        let mut circles = circles.into_iter().peekable();
        while circles.peek().is_some() {
            let mut part = Part::default();
            let mut size = 0;
            while size < HANDED_OVER
                && let Some((_, circle)) = circles.next()
            {
                let (circle, known) = circle.end();
                size += circle.history.len();
                part.circles.push((circle, known));
            }
            part.events = match circles.peek() {
                Some(_) => rest.min(size / 2),
                None => rest,
            };
            rest -= part.events;
            self.hand_over(part).await;
        }
        Ok(())
    }

    /// Begins to read a page of the log.
    fn read(&self, from: Sequence) -> AbortOnDropHandle<Result<Vec<LogEntry>, StoreError>> {
        let this = self.clone();
        task::begin(async move {
            let holes = &this.scope.holes;
            this.persist(|| this.log.read_over(from, PAGE, holes)).await
        })
    }

    async fn by_circle(self) -> Result<(), StoreError> {
        let Self { log, scope, .. } = &self;
        let mut changes = Vec::new();
        let mut read = 0;
        let mut after = None;
        loop {
            let ids = self.persist(|| log.circle_ids(after, CIRCLES)).await?;
            let Some(last) = ids.last() else {
                break;
            };
            after = Some(*last);
            let events = self.persist(|| log.histories(&ids, scope.until)).await?;
            read += events.len() as u64;
            let mut circles = Vec::with_capacity(ids.len());
            for events in events.chunk_by(|one, other| one.circle_id == other.circle_id) {
                let mut circle = Refold::begin(events[0].circle_id);
                changes.extend(
                    events
                        .iter()
                        .filter_map(|event| self.add(&mut circle, event)),
                );
                circles.push(circle.end());
            }
            let part = Part {
                circles,
                events: events.len(),
                ..Part::default()
            };
            self.hand_over(part).await;
        }
        if read != scope.events {
            self.find_damage().await?;
        }
        changes.sort_unstable_by_key(|change| change.position);
        let mut changes = changes.into_iter().peekable();
        while changes.peek().is_some() {
            let part = Part {
                changes: changes.by_ref().take(HANDED_OVER).collect(),
                ..Part::default()
            };
            self.hand_over(part).await;
        }
        Ok(())
    }

    /// Reads the log in its order, which fails at an event that belongs to no circle. Without one,
    /// the log is no longer the one that was counted, which the end of the fill finds out.
    async fn find_damage(&self) -> Result<(), StoreError> {
        let mut from = Sequence::ZERO.next();
        while let Some(last) = task::end(self.read(from)).await?.last()
            && last.sequence < self.scope.until
        {
            from = last.sequence.next();
        }
        Ok(())
    }

    /// Folds an event. Answers with what watches are told of it, if it is kept.
    fn add(&self, circle: &mut Refold, event: &LogEntry) -> Option<ChangeEntry> {
        let entry = circle.add(event)?;
        (entry.sequence > self.scope.entries_after).then(|| ChangeEntry {
            position: ChangePosition::of(entry.sequence),
            kind: Some(entry.kind),
            circle_id: event.circle_id,
            version: Some(entry.version),
            event_id: Some(event.id),
            document: entry.document(event.circle_id),
        })
    }

    async fn hand_over(&self, part: Part) {
        // Who no longer waits for it has dropped this task as well.
        let _ = self.send.send(Ok(part)).await;
    }

    /// Reads until the log answers, as all that is gathered would be lost by beginning anew. Whoever
    /// waits for a part hears of it.
    async fn persist<T, F>(&self, read: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        loop {
            match read().await {
                Err(error) if error.is_transient() => {
                    let _ = self.send.try_send(Err(error));
                    tokio::time::sleep(RETRY).await;
                }
                answer => return answer,
            }
        }
    }
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
