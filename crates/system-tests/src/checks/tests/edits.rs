//! Ways to make a sound history wrong.

use test_support::judge;

use super::story::Story;
use crate::history::{Answer, Asked, Circle, Kind, Moment, Outcome, Page, Request, Shown, Told};

impl Story {
    /// One more event.
    pub(super) fn happens(
        &mut self,
        id: &str,
        circle: &str,
        version: i32,
        kind: &str,
        payload: &str,
    ) {
        self.rows.push(judge::Event {
            sequence: self.rows.len() as u64 + 1,
            id: id.to_owned(),
            circle_id: circle.to_owned(),
            version,
            event_type: kind.to_owned(),
            payload: payload.to_owned(),
            metadata: "{}".to_owned(),
            occurred_at: "2026-11-27T04:05:06.000007Z".to_owned(),
        });
    }

    /// The n-th event says something else.
    pub(super) fn payload(&mut self, n: usize, payload: &str) {
        payload.clone_into(&mut self.rows[n - 1].payload);
    }

    pub(super) fn request(&mut self, n: usize) -> &mut Request {
        &mut self.history.requests[n - 1]
    }

    /// The last answer to the n-th request.
    pub(super) fn answer(&mut self, n: usize) -> &mut Answer {
        let attempt = self.request(n).attempts.last_mut();
        match attempt.map(|attempt| &mut attempt.outcome) {
            Some(Outcome::Acknowledged(answer)) => answer,
            other => panic!("request {n} ended with {other:?}"),
        }
    }

    /// Name, capacity and version of the n-th request, an update.
    pub(super) fn update(
        &mut self,
        n: usize,
    ) -> (&mut Option<String>, &mut Option<i32>, &mut Option<i32>) {
        match &mut self.request(n).asked {
            Asked::Update {
                name,
                capacity,
                version,
                ..
            } => (name, capacity, version),
            other => panic!("request {n} is {other:?}"),
        }
    }

    /// The n-th read shows these circles at a sequence.
    pub(super) fn shows(&mut self, n: usize, sequence: u64, circles: Vec<Circle>) {
        let circles = circles.into_iter();
        let read = &mut self.history.reads[n];
        read.sequence = Some(sequence);
        read.shown = Shown::Circles(
            circles
                .map(|circle| (circle.id.clone(), Some(circle)))
                .collect(),
        );
    }

    /// The n-th read says of this circle that there is none.
    pub(super) fn lacks(&mut self, n: usize, circle_id: &str) {
        let Shown::Circles(circles) = &mut self.history.reads[n].shown else {
            panic!("read {n} shows no circles");
        };
        circles.retain(|(id, _)| id != circle_id);
        circles.push((circle_id.to_owned(), None));
    }

    /// The n-th page.
    pub(super) fn page(&mut self, n: usize) -> &mut Page {
        let reads = self.history.reads.iter_mut();
        let mut pages = reads.filter_map(|read| match &mut read.shown {
            Shown::Page(page) => Some(page),
            _ => None,
        });
        pages.nth(n).unwrap()
    }

    /// What a call of a watch told.
    pub(super) fn told(&mut self, watch: usize, session: usize) -> &mut Vec<(Moment, Told)> {
        &mut self.history.watches[watch].sessions[session].told
    }
}

impl Told {
    /// Tells of another kind of change.
    pub(super) fn kind_mut(&mut self, other: Kind) {
        if let Self::Change { kind, .. } = self {
            *kind = other;
        }
    }

    /// Tells of another circle after it.
    pub(super) fn circle_mut(&mut self, other: Option<Circle>) {
        if let Self::Change { circle, .. } = self {
            *circle = other;
        }
    }
}
