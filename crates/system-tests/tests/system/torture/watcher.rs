//! A client that watches, through every interruption, and records what it was told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use circles_proto::circles::v1::WatchCirclesRequest;
use circles_proto::circles::v1::watch_circles_response::Event;
use fastrand::Rng;
use system_tests::history::{Session, Told, Watch};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::Status;

use super::client::Ways;
use super::queries::{circle, is_excused, kind};
use super::recorder::Recorder;
use crate::support::PATIENCE;

/// Silence of a watch that means that it is cut off: it tells of its progress every 5 s.
const SILENCE: Duration = Duration::from_secs(7);

/// How long a watch of some circles goes on before others are chosen.
const ROUND: Duration = Duration::from_secs(10);

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// Everything from the log's beginning on.
    All,
    /// Everything from now on.
    News,
    /// Some circles from now on, then others.
    Some,
}

pub(super) struct Watcher {
    pub(super) rng: Rng,
    pub(super) subject: Subject,
    pub(super) ways: Ways,
    pub(super) recorder: Arc<Recorder>,
    /// The end of the log, once that is known.
    pub(super) end: watch::Receiver<Option<u64>>,
}

impl Watcher {
    /// Watches until it has come to the log's end; fails where it does not.
    pub(super) async fn run(mut self) -> Vec<Watch> {
        let mut watches = Vec::new();
        loop {
            let mut watch = Watch {
                circle_ids: self.circle_ids(),
                ..Default::default()
            };
            let ended = self.follow(&mut watch).await;
            watches.push(watch);
            if ended {
                return watches;
            }
        }
    }

    fn circle_ids(&mut self) -> BTreeSet<String> {
        let count = match self.subject {
            Subject::All | Subject::News => 0,
            Subject::Some => 8,
        };
        let chosen = (0..count).filter_map(|_| self.recorder.any_circle(&mut self.rng));
        chosen.map(|(id, _)| id).collect()
    }

    /// Whether it has come to the log's end; otherwise it is time for other circles.
    async fn follow(&mut self, watch: &mut Watch) -> bool {
        let circle_ids: Vec<String> = watch.circle_ids.iter().cloned().collect();
        let mut until = (self.subject == Subject::Some).then(|| Instant::now() + ROUND);
        let mut give_up = None;
        loop {
            let from = match (watch.position(), self.subject) {
                (None, Subject::All) => Some(0),
                (position, _) => position,
            };
            watch.sessions.push(Session {
                from,
                invoked: self.recorder.now(),
                told: Vec::new(),
            });
            let patience = Duration::from_millis(self.rng.u64(100..8_000));
            let session = watch.sessions.last_mut();
            let session = session.expect("there is the one that was pushed");
            if let Err(status) = self.read(&circle_ids, session, patience).await
                && !is_excused(&status)
            {
                self.recorder
                    .complain(format!("a watch from {from:?}: {status:?}"));
            }
            let end = *self.end.borrow();
            if let Some(end) = end {
                if watch.position() >= Some(end) {
                    return true;
                }
                // Others would come too late.
                until = None;
                let give_up = *give_up.get_or_insert_with(|| Instant::now() + PATIENCE);
                assert!(
                    Instant::now() < give_up,
                    "a watch does not come to {end}: {:?}",
                    watch.sessions.last()
                );
            }
            if until.is_some_and(|until| until < Instant::now()) {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(self.rng.u64(1..100))).await;
        }
    }

    /// One call, until it is cut off, has told all, or has gone on for long enough.
    async fn read(
        &mut self,
        circle_ids: &[String],
        session: &mut Session,
        patience: Duration,
    ) -> Result<(), Status> {
        let until = Instant::now() + patience;
        let replica = self.rng.usize(0..self.ways.queries.len());
        let mut client = self.ways.queries[replica].clone();
        let request = WatchCirclesRequest {
            from_sequence: session.from.and_then(|from| from.try_into().ok()),
            circle_ids: circle_ids.to_vec(),
        };
        let call = tokio::time::timeout(SILENCE, client.watch_circles(request));
        let mut stream = match call.await {
            Ok(stream) => stream?.into_inner(),
            Err(_) => return Ok(()),
        };
        while let Ok(message) = tokio::time::timeout(SILENCE, stream.message()).await {
            let Some(message) = message? else {
                return Ok(());
            };
            let told = match message.event {
                Some(Event::Progress(progress)) => Told::Progress(progress.sequence.unsigned_abs()),
                Some(Event::Change(change)) => Told::Change {
                    sequence: change.sequence.unsigned_abs(),
                    kind: kind(change.r#type()),
                    circle_id: change.circle_id,
                    circle: change.circle.map(circle),
                },
                None => return Err(Status::data_loss("nothing was told")),
            };
            let sequence = told.sequence();
            session.told.push((self.recorder.now(), told));
            let end = *self.end.borrow();
            if end.is_some_and(|end| end <= sequence) || Instant::now() > until {
                return Ok(());
            }
        }
        Ok(())
    }
}
