//! `ImportCircles`: many creations on one stream, answered in the order of the requests.

use std::pin::Pin;
use std::sync::Arc;

use circles_proto::circles::v1::import_circles_response::Result as Answer;
use circles_proto::circles::v1::{
    ImportCirclesRequest, ImportCirclesResponse, ImportFailure, ImportFieldViolation,
    ImportedCircle,
};
use futures_util::{Stream, StreamExt as _, stream};
use service_kit::auth::{Identity, expired};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Status, Streaming};
use tonic_types::StatusExt as _;

use super::CommandService;
use super::convert::{self, Caller};
use crate::commands::Accepted;
use crate::failure;

/// How many requests of one stream are worked on at the same time, or wait for the client to
/// read their answers. Enough that a stream by itself fills a good part of a group commit.
const IN_FLIGHT: usize = 256;

/// How many requests of all streams are worked on at the same time, or wait for room in the
/// writer's queue. It is what thousands of streams can keep in memory by sending.
pub(super) const WORKED_ON: usize = 16_384;

/// The answers of one stream.
pub(crate) type Answers = Pin<Box<dyn Stream<Item = Result<ImportCirclesResponse, Status>> + Send>>;

/// Answers every request in its turn. An error is the last thing that comes.
///
/// A request is read only when there is room for its answer, and room comes only from a client
/// that reads. Each one is worked on in a task of its own: the stream is polled only while the
/// client reads, and what holds or waits for a place in the writer's queue must not wait for that.
pub(crate) fn answers(
    service: CommandService,
    request: Request<Streaming<ImportCirclesRequest>>,
) -> Answers {
    let caller = Caller::of(&request);
    let answers = until_ended(&service, request)
        .map(move |item| {
            let (service, caller) = (service.clone(), caller.clone());
            // A client that is gone takes with it what is not in the queue yet.
            let task = item.map(|(request, place)| {
                AbortOnDropHandle::new(tokio::spawn(async move {
                    let created = create(service, request, caller).await;
                    drop(place);
                    created
                }))
            });
            async move {
                let created = task?.await.unwrap_or_else(|error| {
                    tracing::error!(%error, "the task of an import failed");
                    Err(failure::DOMAIN.internal())
                });
                Ok(response(created))
            }
        })
        .buffered(IN_FLIGHT);
    Box::pin(answers)
}

/// The requests, each with its place among those that are worked on, until the client has sent the
/// last one, the transport fails, the client's token expires, or the service drains; the latter three are told by an
/// error at the end.
fn until_ended(
    service: &CommandService,
    request: Request<Streaming<ImportCirclesRequest>>,
) -> impl Stream<Item = Result<(ImportCirclesRequest, OwnedSemaphorePermit), Status>> + Send + use<>
{
    let places = Arc::clone(&service.imports);
    let readiness = service.readiness.clone();
    let identity = Identity::of(request.extensions()).cloned();
    let ended = Box::pin(async move {
        tokio::select! {
            biased;
            () = readiness.draining() => failure::draining(),
            () = expired(identity) => failure::token_expired(),
        }
    });
    stream::unfold(Some((request.into_inner(), ended, places)), async |state| {
        let (mut requests, mut ended, places) = state?;
        let next = async {
            let request = match requests.message().await.transpose()? {
                Ok(request) => request,
                Err(status) => return Some(Err(status)),
            };
            // Nobody closes it.
            let place = Arc::clone(&places).acquire_owned().await;
            Some(
                place
                    .map_err(|_| failure::draining())
                    .map(|place| (request, place)),
            )
        };
        let request = tokio::select! {
            biased;
            status = &mut ended => Err(status),
            request = next => request?,
        };
        let goes_on = request.is_ok().then_some((requests, ended, places));
        Some((request, goes_on))
    })
}

async fn create(
    service: CommandService,
    request: ImportCirclesRequest,
    caller: Caller,
) -> Result<Accepted, Status> {
    let order = convert::order(request, caller)?;
    service
        .commands()?
        .execute_when_room(order)
        .await
        .map_err(|rejected| failure::status(&rejected))
}

fn response(created: Result<Accepted, Status>) -> ImportCirclesResponse {
    let answer = match created {
        Ok(accepted) => Answer::Created(ImportedCircle {
            circle_id: accepted.circle_id.to_string(),
            version: accepted.version.get(),
            sequence: convert::sequence(accepted.sequence),
        }),
        Err(status) => Answer::Failure(import_failure(&status)),
    };
    ImportCirclesResponse {
        result: Some(answer),
    }
}

/// What CreateCircle would have failed with, as a message.
fn import_failure(status: &Status) -> ImportFailure {
    let details = status.get_error_details();
    let violations = details
        .bad_request()
        .map(|request| &request.field_violations);
    ImportFailure {
        code: status.code().into(),
        reason: details
            .error_info()
            .map_or_else(String::new, |info| info.reason.clone()),
        message: status.message().to_owned(),
        violations: violations
            .into_iter()
            .flatten()
            .map(|violation| ImportFieldViolation {
                field: violation.field.clone(),
                description: violation.description.clone(),
            })
            .collect(),
    }
}
