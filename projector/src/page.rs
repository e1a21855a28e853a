//! Pages of the log, read ahead in the background.

use std::collections::{BTreeMap, VecDeque};
use std::time::SystemTime;

use event_store::{Damage, EventStore, LogEntry, StoreError};
use read_model::Checkpoint;
use shared_domain::Sequence;
use tokio_util::task::AbortOnDropHandle;

use crate::task;

/// How many events are read at once while there is a backlog: a question takes MySQL about as long
/// for few as for many.
const READ_AHEAD: u32 = 2_000;

/// How many events are applied at once: while Redis writes some, the next ones are folded, and
/// the first of many are to be seen before the last.
const PIECE: usize = 100;

/// What the log has behind a checkpoint.
#[derive(Debug)]
pub(crate) enum Page {
    /// These events come next.
    Behind(Vec<LogEntry>),
    /// The log has another event at the checkpoint, or none.
    OtherLog,
}

/// The pages behind a checkpoint, one after the other.
#[derive(Debug)]
pub(crate) struct Pages {
    log: EventStore,
    /// Behind which checkpoint the next page is.
    place: Checkpoint,
    ready: VecDeque<LogEntry>,
    /// When it was begun to read them.
    as_of: SystemTime,
    /// What comes behind those that are ready.
    ahead: Option<Reading>,
}

impl Pages {
    pub(crate) fn new(log: EventStore) -> Self {
        Self {
            log,
            place: Checkpoint::EMPTY,
            ready: VecDeque::new(),
            as_of: SystemTime::UNIX_EPOCH,
            ahead: None,
        }
    }

    /// The moment of which the last page shows the log. One that has no more behind it shows its end.
    pub(crate) fn as_of(&self) -> SystemTime {
        self.as_of
    }

    /// Forgets what is read already.
    pub(crate) fn clear(&mut self) {
        self.ready.clear();
        self.ahead = None;
    }

    /// The page of up to `limit` events behind `from`, and whether there is certain to be more.
    ///
    /// While the log has more, that is read in the background; at its end that would only read
    /// too early.
    pub(crate) async fn next(
        &mut self,
        from: Checkpoint,
        limit: u32,
        holes: &BTreeMap<Sequence, Sequence>,
    ) -> Result<(Page, bool), StoreError> {
        if self.place != from {
            self.clear();
            self.place = from;
        }
        if self.ready.is_empty() {
            let begin = |from, limit| Reading::begin(self.log.clone(), from, limit, holes.clone());
            let reading = self.ahead.take().unwrap_or_else(|| begin(from, limit));
            let asked = reading.limit;
            self.as_of = reading.begun;
            let (entries, is_cut) = match reading.page().await? {
                Read::Behind(entries) => (entries, false),
                Read::BeforeHole(entries) => (entries, true),
                Read::OtherLog => return Ok((Page::OtherLog, false)),
            };
            if let Some(last) = entries.last()
                && (is_cut || entries.len() >= asked as usize)
            {
                let end = Checkpoint::at(last.sequence, last.id);
                self.ahead = Some(begin(end, limit.max(READ_AHEAD)));
            }
            self.ready = entries.into();
        }
        let count = self.ready.len().min(limit as usize).min(PIECE);
        let page: Vec<LogEntry> = self.ready.drain(..count).collect();
        if let Some(last) = page.last() {
            self.place = Checkpoint::at(last.sequence, last.id);
        }
        let more = !self.ready.is_empty() || self.ahead.is_some();
        Ok((Page::Behind(page), more))
    }
}

/// What was read behind a checkpoint.
#[derive(Debug)]
enum Read {
    /// These events come next, and there is no more where they are fewer than asked for.
    Behind(Vec<LogEntry>),
    /// These events come next; behind them is a hole, which the next read meets.
    BeforeHole(Vec<LogEntry>),
    /// As [`Page::OtherLog`].
    OtherLog,
}

/// A page that is being read.
#[derive(Debug)]
struct Reading {
    limit: u32,
    begun: SystemTime,
    task: AbortOnDropHandle<Result<Read, StoreError>>,
}

impl Reading {
    /// Begins to read up to `limit` events behind `from`, in a task of its own, as taking the rows
    /// apart is work.
    fn begin(
        log: EventStore,
        from: Checkpoint,
        limit: u32,
        holes: BTreeMap<Sequence, Sequence>,
    ) -> Self {
        Self {
            limit,
            begun: SystemTime::now(),
            task: task::begin(read(log, from, limit, holes)),
        }
    }

    /// Waits for it.
    async fn page(self) -> Result<Read, StoreError> {
        task::end(self.task).await
    }
}

/// Reads what is sound: a hole does not keep back what comes before it.
async fn read(
    log: EventStore,
    from: Checkpoint,
    limit: u32,
    holes: BTreeMap<Sequence, Sequence>,
) -> Result<Read, StoreError> {
    match read_whole(&log, from, limit, &holes).await {
        Err(StoreError::Damaged(Damage::Hole { after, .. })) if after > from.sequence => {
            let sound = events_between(from.sequence, after, &holes);
            let sound = u32::try_from(sound).unwrap_or(limit);
            Ok(match read_whole(&log, from, sound, &holes).await? {
                Read::Behind(page) => Read::BeforeHole(page),
                other => other,
            })
        }
        page => page,
    }
}

/// The checkpoint's own event is read as well, to see that the log is still the one that was
/// applied.
async fn read_whole(
    log: &EventStore,
    from: Checkpoint,
    limit: u32,
    holes: &BTreeMap<Sequence, Sequence>,
) -> Result<Read, StoreError> {
    let Some(applied) = from.event_id else {
        let page = log.read_over(from.sequence.next(), limit, holes).await?;
        return Ok(Read::Behind(page));
    };
    let mut page = match log.read_over(from.sequence, limit + 1, holes).await {
        // The checkpoint's event itself is missing.
        Err(StoreError::Damaged(Damage::Hole { after, .. })) if after < from.sequence => {
            return Ok(Read::OtherLog);
        }
        page => page?,
    };
    if page.first().map(|entry| entry.id) != Some(applied) {
        return Ok(Read::OtherLog);
    }
    page.remove(0);
    Ok(Read::Behind(page))
}

/// How many events there are behind `from`, up to `last` and with it, where `holes` are let pass.
pub(crate) fn events_between(
    from: Sequence,
    last: Sequence,
    holes: &BTreeMap<Sequence, Sequence>,
) -> u64 {
    let missing: u64 = holes
        .range(from..last)
        .map(|(after, next)| next.get().saturating_sub(after.next().get()))
        .sum();
    last.get()
        .saturating_sub(from.get())
        .saturating_sub(missing)
}

#[cfg(test)]
mod tests {
    use test_support::mysql::Engine;
    use test_support::on_every_engine;

    use super::*;
    use crate::support::World;

    #[test]
    fn what_is_in_holes_is_no_event() {
        let at = Sequence::new;
        let holes = BTreeMap::from([(at(3), at(5)), (at(7), at(10))]);
        for (from, last, events) in [
            (0, 3, 3),
            (0, 5, 4),
            (2, 5, 2),
            (3, 5, 1),
            (5, 7, 2),
            (3, 12, 6),
            (10, 10, 0),
            (10, 20, 10),
        ] {
            assert_eq!(
                events_between(at(from), at(last), &holes),
                events,
                "{from} {last}"
            );
        }
    }

    on_every_engine!(what_was_read_ahead_is_given_from_where_it_was_read_only);

    async fn what_was_read_ahead_is_given_from_where_it_was_read_only(engine: Engine) {
        let world = World::create(engine).await;
        world.crowd(60).await;
        let log = world.store.read_from(Sequence::ZERO.next(), 100).await;
        let log = log.unwrap();
        let at = |n: usize| Checkpoint::at(log[n].sequence, log[n].id);
        let mut pages = Pages::new(world.store.clone());
        // On, where it left off; then elsewhere, ahead and back, while more is ready.
        for (from, limit) in [(0, 10), (10, 10), (40, 5), (3, 10), (13, 90)] {
            let (page, more) = pages.next(at(from), limit, &BTreeMap::new()).await.unwrap();
            let Page::Behind(page) = page else {
                panic!("{page:?}");
            };
            let until = (from + limit as usize).min(log.len() - 1);
            let sequences = |page: &[LogEntry]| -> Vec<Sequence> {
                page.iter().map(|entry| entry.sequence).collect()
            };
            assert_eq!(sequences(&page), sequences(&log[from + 1..=until]));
            assert_eq!(more, until < log.len() - 1);
        }
    }
}
