//! Commands over gRPC, and what their answers mean.

use circles_proto::circles::v1::{CreateCircleRequest, DeleteCircleRequest, UpdateCircleRequest};
use system_tests::history::{Answer, Asked, Attempt, Outcome, Refusal, Request};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::client::Client;
use super::timed::timed;

impl Client {
    /// Sends a command once.
    pub(super) async fn attempt(&mut self, request: &Request) -> Attempt {
        let replica = self.rng.usize(0..self.ways.commands.len());
        let mut client = self.ways.commands[replica].clone();
        let patience = self.patience();
        let request_id = Some(request.id.clone());
        let invoked = self.recorder.now();
        let result = match request.asked.clone() {
            Asked::Create {
                circle_id,
                name,
                capacity,
            } => {
                let create = CreateCircleRequest {
                    name,
                    capacity,
                    circle_id,
                    request_id,
                };
                let created = timed(create, patience, |create| client.create_circle(create)).await;
                created.map(|created| answer(created.circle_id, created.version, created.sequence))
            }
            Asked::Update {
                circle_id,
                name,
                capacity,
                version,
            } => {
                let update = UpdateCircleRequest {
                    circle_id,
                    name,
                    capacity,
                    version,
                    request_id,
                };
                let updated = timed(update, patience, |update| client.update_circle(update)).await;
                updated.map(|updated| answer(updated.circle_id, updated.version, updated.sequence))
            }
            Asked::Delete {
                circle_id,
                version,
                reason,
            } => {
                let delete = DeleteCircleRequest {
                    circle_id,
                    version,
                    reason,
                    request_id,
                };
                let deleted = timed(delete, patience, |delete| client.delete_circle(delete)).await;
                deleted.map(|deleted| answer(deleted.circle_id, deleted.version, deleted.sequence))
            }
        };
        let returned = self.recorder.now();
        let outcome = match result {
            Ok(answer) => Outcome::Acknowledged(answer),
            Err(status) => self.understand(&status),
        };
        Attempt {
            invoked,
            returned,
            outcome,
        }
    }

    pub(super) fn understand(&self, status: &Status) -> Outcome {
        let info = status.get_details_error_info();
        let (reason, present) = info.map_or_else(Default::default, |info| {
            let present = info.metadata.get("present_version");
            (
                info.reason,
                present.and_then(|version| version.parse().ok()),
            )
        });
        self.meaning(status.code(), &reason, status.message(), present)
    }

    /// As the README tells. What has no reason comes from the client's end of the connection.
    pub(super) fn meaning(
        &self,
        code: Code,
        reason: &str,
        message: &str,
        present: Option<i32>,
    ) -> Outcome {
        match (code, reason, present) {
            (Code::NotFound, "CIRCLE_NOT_FOUND", _) => Outcome::Refused(Refusal::NoCircle),
            (Code::FailedPrecondition, "CIRCLE_DELETED", _) => Outcome::Refused(Refusal::Deleted),
            (Code::AlreadyExists, "CIRCLE_ID_USED", _) => Outcome::Refused(Refusal::IdUsed),
            (Code::Aborted, "VERSION_MISMATCH", Some(present)) => {
                Outcome::Refused(Refusal::Version { present })
            }
            (Code::ResourceExhausted, "QUEUE_FULL" | "TOO_MANY_CALLS", _)
            | (Code::Unavailable, "STARTING" | "DRAINING" | "CONTENDED", _) => {
                Outcome::Refused(Refusal::NotNow)
            }
            (Code::Unavailable, "LOG_UNAVAILABLE", _) if message.contains("nothing was done") => {
                Outcome::Refused(Refusal::NotNow)
            }
            (Code::Unavailable, "LOG_UNAVAILABLE", _)
            | (Code::DeadlineExceeded, _, _)
            | (Code::Unavailable | Code::Cancelled | Code::Unknown | Code::Internal, "", _) => {
                Outcome::Unknown
            }
            _ => {
                let what = format!("a command: {code:?} {reason} {message}");
                self.recorder.complain(what);
                Outcome::Unknown
            }
        }
    }
}

pub(super) fn answer(circle_id: String, version: i32, sequence: i64) -> Answer {
    Answer {
        circle_id,
        version,
        sequence: sequence.unsigned_abs(),
    }
}
