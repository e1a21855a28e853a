//! Imports, and what their answers mean.

use circles_proto::circles::v1::import_circles_response::Result as Imported;
use circles_proto::circles::v1::{ImportCirclesRequest, ImportCirclesResponse};
use system_tests::history::{Asked, Attempt, Moment, Outcome, Refusal, Request};
use tokio::time::{Instant, timeout_at};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Code, Status};

use super::client::Client;
use super::commands::answer;
use super::timed::timed;

mod tests;

impl Client {
    /// Imports some circles, once.
    pub(super) async fn import(&mut self) {
        let mut requests = self.some_creations();
        let replica = self.rng.usize(0..self.ways.commands.len());
        let mut client = self.ways.commands[replica].clone();
        let patience = self.patience();
        let items: Vec<ImportCirclesRequest> = requests.iter().filter_map(item).collect();
        let invoked = self.recorder.now();

        let stream = tokio_stream::iter(items);
        let call = timed(stream, patience, |items| client.import_circles(items)).await;
        let deadline = Instant::now() + patience;
        self.attend(&mut requests, invoked, call, deadline).await;
        for request in requests {
            self.recorder.record(request);
        }
    }

    fn some_creations(&mut self) -> Vec<Request> {
        (0..self.rng.usize(2..8))
            .map(|_| Request {
                id: self.uuid(),
                asked: Asked::Create {
                    circle_id: None,
                    name: self.name(),
                    capacity: self.capacity(),
                },
                attempts: Vec::new(),
            })
            .collect()
    }

    /// Takes the answers to requests, which come in their order.
    async fn attend(
        &self,
        requests: &mut [Request],
        invoked: Moment,
        call: Result<impl Stream<Item = Result<ImportCirclesResponse, Status>> + Unpin, Status>,
        deadline: Instant,
    ) {
        let mut answers = call.map_err(|status| self.excuse_end(&status)).ok();
        for request in requests {
            let outcome = match &mut answers {
                Some(answers) => match timeout_at(deadline, answers.next()).await {
                    Ok(Some(Ok(response))) => Some(self.understand_item(response)),
                    Ok(Some(Err(status))) => {
                        self.excuse_end(&status);
                        None
                    }
                    Ok(None) => {
                        let what = format!("an import ended well without an answer to {request:?}");
                        self.recorder.complain(what);
                        None
                    }
                    Err(_) => None,
                },
                None => None,
            };
            if outcome.is_none() {
                answers = None;
            }
            request.attempts.push(Attempt {
                invoked,
                returned: self.recorder.now(),
                // What has no answer may have been done or not.
                outcome: outcome.unwrap_or(Outcome::Unknown),
            });
        }
    }

    /// An import that fails needs an excuse as every command does, and has nothing to say of any
    /// circle.
    fn excuse_end(&self, status: &Status) {
        let outcome = self.understand(status);
        if !matches!(
            outcome,
            Outcome::Unknown | Outcome::Refused(Refusal::NotNow)
        ) {
            self.recorder.complain(format!("an import: {status:?}"));
        }
    }

    fn understand_item(&self, response: ImportCirclesResponse) -> Outcome {
        match response.result {
            Some(Imported::Created(created)) => {
                Outcome::Acknowledged(answer(created.circle_id, created.version, created.sequence))
            }
            Some(Imported::Failure(failure)) => {
                let code = Code::from_i32(failure.code);
                self.meaning(code, &failure.reason, &failure.message, None)
            }
            None => {
                self.recorder
                    .complain("an import answered nothing".to_owned());
                Outcome::Unknown
            }
        }
    }
}

fn item(request: &Request) -> Option<ImportCirclesRequest> {
    let Asked::Create { name, capacity, .. } = &request.asked else {
        return None;
    };
    Some(ImportCirclesRequest {
        name: name.clone(),
        capacity: *capacity,
        request_id: Some(request.id.clone()),
    })
}
