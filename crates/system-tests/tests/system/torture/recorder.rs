//! What all clients share: the clock, the history, and the circles that they know of.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use fastrand::Rng;
use system_tests::history::{Answer, History, Moment, Outcome, Read, Refusal, Request};

/// How many deleted circles are remembered.
const GONE: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Recorder {
    clock: AtomicU64,
    history: Mutex<History>,
    circles: Mutex<Circles>,
    /// The greatest sequence that anybody was told of.
    greatest: AtomicU64,
    /// Queries without an answer.
    unanswered: AtomicU64,
}

#[derive(Debug, Default)]
struct Circles {
    /// With the version that was seen last.
    present: Vec<(String, i32)>,
    gone: VecDeque<String>,
}

impl Recorder {
    /// The next moment.
    pub(super) fn now(&self) -> Moment {
        self.clock.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(super) fn greatest(&self) -> u64 {
        self.greatest.load(Ordering::Relaxed)
    }

    pub(super) fn record(&self, request: Request) {
        for (_, answer) in request.answers() {
            self.learn(&request, answer);
        }
        if let Some(attempt) = request.attempts.last()
            && let Outcome::Refused(Refusal::Deleted | Refusal::NoCircle) = attempt.outcome
            && let Some(circle_id) = request.asked.circle_id()
        {
            self.circles().forget(circle_id);
        }
        self.history().requests.push(request);
    }

    fn learn(&self, request: &Request, answer: &Answer) {
        self.greatest.fetch_max(answer.sequence, Ordering::Relaxed);
        if matches!(request.asked, system_tests::history::Asked::Delete { .. }) {
            self.circles().forget(&answer.circle_id);
        } else {
            self.circles().see(&answer.circle_id, answer.version);
        }
    }

    pub(super) fn record_read(&self, read: Read) {
        self.history().reads.push(read);
    }

    pub(super) fn record_unanswered(&self) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::Relaxed)
    }

    pub(super) fn complain(&self, what: String) {
        self.history().unexcused.push(what);
    }

    /// A circle that should be there, rather a young one, and its version as far as is known.
    pub(super) fn any_circle(&self, rng: &mut Rng) -> Option<(String, i32)> {
        let circles = self.circles();
        let count = circles.present.len();
        let recent = count.min(5);
        let place = match rng.u8(0..4) {
            0 => rng.usize(0..count.max(1)),
            _ => count - recent + rng.usize(0..recent.max(1)),
        };
        circles.present.get(place).cloned()
    }

    /// One that is probably deleted.
    pub(super) fn gone_circle(&self, rng: &mut Rng) -> Option<String> {
        let circles = self.circles();
        let place = rng.usize(0..circles.gone.len().max(1));
        circles.gone.get(place).cloned()
    }

    /// Everything, with nothing left.
    pub(super) fn take(&self) -> History {
        std::mem::take(&mut self.history())
    }

    fn history(&self) -> std::sync::MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn circles(&self) -> std::sync::MutexGuard<'_, Circles> {
        self.circles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circles {
    fn see(&mut self, circle_id: &str, version: i32) {
        match self.present.iter_mut().find(|(id, _)| id == circle_id) {
            Some((_, seen)) => *seen = version.max(*seen),
            None if self.gone.iter().any(|id| id == circle_id) => {}
            None => self.present.push((circle_id.to_owned(), version)),
        }
    }

    fn forget(&mut self, circle_id: &str) {
        if !self.gone.iter().any(|id| id == circle_id) {
            self.present.retain(|(id, _)| id != circle_id);
            self.gone.push_back(circle_id.to_owned());
            if self.gone.len() > GONE {
                self.gone.pop_front();
            }
        }
    }
}
