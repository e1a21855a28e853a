//! A client: random commands and queries, one after the other, each of them recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::circle_query_service_client::CircleQueryServiceClient;
use fastrand::Rng;
use system_tests::history::{Asked, Outcome, Refusal, Request};
use tonic::transport::Channel;
use uuid::{Builder, Uuid};

use super::recorder::Recorder;
use crate::support::PATIENCE;

/// What clients reach the services by.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    pub(crate) commands: Vec<CircleCommandServiceClient<Channel>>,
    pub(crate) queries: Vec<CircleQueryServiceClient<Channel>>,
}

pub(super) struct Client {
    pub(super) rng: Rng,
    /// Sends again what it has no answer to, until it has one.
    pub(super) persistent: bool,
    pub(super) ways: Ways,
    pub(super) recorder: Arc<Recorder>,
    /// The sequence of its own latest command.
    pub(super) own: u64,
}

impl Client {
    pub(super) async fn run(mut self, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::Relaxed) {
            match self.rng.u8(0..100) {
                0..50 => self.command().await,
                50..52 => self.import().await,
                _ => self.query().await,
            }
            tokio::time::sleep(Duration::from_millis(self.rng.u64(0..6))).await;
        }
    }

    /// Creates a circle, so that there is something to ask for from the start.
    pub(super) async fn begin(&mut self) {
        while self.own == 0 {
            let first = self.new_circle();
            self.send(first).await;
        }
    }

    async fn command(&mut self) {
        let asked = self.choose();
        self.send(asked).await;
    }

    /// Sends a command, and again as its policy says.
    async fn send(&mut self, asked: Asked) {
        let mut request = Request {
            id: self.uuid(),
            asked,
            attempts: Vec::new(),
        };
        let give_up = Instant::now() + PATIENCE;
        loop {
            let attempt = self.attempt(&request).await;
            let again = match &attempt.outcome {
                Outcome::Unknown => self.persistent && Instant::now() < give_up,
                Outcome::Refused(Refusal::NotNow) => self.persistent && self.rng.bool(),
                // Nothing may come of it a second time.
                Outcome::Acknowledged(_) => self.rng.u8(0..30) == 0,
                Outcome::Refused(_) => false,
            };
            if let Outcome::Acknowledged(answer) = &attempt.outcome {
                self.own = answer.sequence;
            }
            request.attempts.push(attempt);
            if !again {
                break;
            }
            tokio::time::sleep(Duration::from_millis(self.rng.u64(5..50))).await;
        }
        self.recorder.record(request);
    }

    fn choose(&mut self) -> Asked {
        let kind = self.rng.u8(0..100);
        // Some come too late, on purpose.
        let target = if self.rng.u8(0..25) == 0 {
            self.recorder.gone_circle(&mut self.rng).map(|id| (id, 1))
        } else {
            self.recorder.any_circle(&mut self.rng)
        };
        let Some((circle_id, seen)) = target.filter(|_| kind >= 25) else {
            return self.new_circle();
        };
        let version = match self.rng.u8(0..10) {
            0..5 => None,
            5..9 => Some(seen),
            // Wrong: one before, or one that is not there yet.
            _ => Some((seen - 1 + 2 * i32::from(self.rng.bool())).max(1)),
        };
        if kind < 45 {
            return Asked::Delete {
                circle_id,
                version,
                reason: self.rng.bool().then(|| "nobody came".to_owned()),
            };
        }
        let (name, capacity) = (self.name(), self.capacity());
        let which = self.rng.u8(0..3);
        Asked::Update {
            circle_id,
            name: (which != 0).then_some(name),
            capacity: (which != 1).then_some(capacity),
            version,
        }
    }

    fn new_circle(&mut self) -> Asked {
        let circle_id = match self.rng.u8(0..20) {
            0 => self.recorder.any_circle(&mut self.rng).map(|(id, _)| id),
            1..10 => Some(self.uuid()),
            _ => None,
        };
        Asked::Create {
            circle_id,
            name: self.name(),
            capacity: self.capacity(),
        }
    }

    /// Few, so that some circles have the same.
    pub(super) fn name(&mut self) -> String {
        format!("circle {}", self.rng.u16(0..500))
    }

    /// Mostly one of its own; sometimes such that an update changes nothing.
    pub(super) fn capacity(&mut self) -> i32 {
        match self.rng.u8(0..8) {
            0 => 20,
            _ => self.rng.i32(3..32_767),
        }
    }

    pub(super) fn uuid(&mut self) -> String {
        let uuid: Uuid = Builder::from_random_bytes(self.rng.u128(..).to_be_bytes()).into_uuid();
        uuid.to_string()
    }

    /// How long the client of a call is willing to wait.
    pub(super) fn patience(&mut self) -> Duration {
        Duration::from_millis(self.rng.u64(300..3_000))
    }
}
