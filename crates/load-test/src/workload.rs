//! What the calls of a measurement are.

use std::rc::Rc;

use bytes::Bytes;
use circles_proto::circles::v1::{
    BatchGetCirclesRequest, CreateCircleResponse, GetCircleRequest, UpdateCircleRequest,
    UpdateCircleResponse,
};
use prost::Message as _;

use crate::circles::{Circles, new_circle};
use crate::client::{Caller, Client, Failure};
use crate::grpc::{Rpc, Side, frame};
use crate::lists::List;

/// Where the services are.
#[derive(Clone)]
pub(crate) struct Targets {
    pub(crate) command: Option<Client>,
    pub(crate) query: Option<Client>,
    pub(crate) echo: Option<Client>,
}

/// A source of calls.
#[derive(Clone)]
pub(crate) enum Workload {
    /// Creates circles.
    Create,
    /// Creates circles by requests that could be sent again: each has a `request_id`.
    CreateKeyed,
    /// Changes the capacity of one of these, whatever its version.
    Update(Rc<Circles>),
    /// Reads one of these.
    Get(Rc<Circles>),
    /// Reads a hundred of these at once.
    BatchGet(Rc<Circles>),
    /// Reads any of these pages.
    List(List),
    /// Of a hundred calls 75 read a circle, 15 update one, 5 read this list and 5 create.
    Mix(Rc<Circles>, List),
    /// A call that does nothing, on our own server.
    Echo,
}

const BATCH_GET: usize = 100;

impl Workload {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Create => "create",
            Self::CreateKeyed => "create-keyed",
            Self::Update(_) => "update",
            Self::Get(_) => "get",
            Self::BatchGet(_) => "batch-get",
            Self::List(list) => &list.name,
            Self::Mix(..) => "mix",
            Self::Echo => "echo",
        }
    }

    /// The next call.
    pub(crate) fn next(&self) -> (Rpc, Bytes) {
        match self {
            Self::Create => (Rpc::CreateCircle, frame(&new_circle())),
            Self::CreateKeyed => {
                let mut request = new_circle();
                request.request_id = Some(request_id());
                (Rpc::CreateCircle, frame(&request))
            }
            Self::Update(circles) => (Rpc::UpdateCircle, frame(&update(circles))),
            Self::Get(circles) => get(circles),
            Self::BatchGet(circles) => (Rpc::BatchGetCircles, frame(&batch_get(circles))),
            Self::List(list) => (Rpc::ListCircles, list.any()),
            Self::Mix(circles, list) => match fastrand::u8(..100) {
                0..75 => get(circles),
                75..90 => (Rpc::UpdateCircle, frame(&update(circles))),
                90..95 => (Rpc::ListCircles, list.any()),
                _ => (Rpc::CreateCircle, frame(&new_circle())),
            },
            Self::Echo => (Rpc::Echo, frame(&get_request(ECHO.to_owned()))),
        }
    }
}

/// A random UUID, as most clients choose.
fn request_id() -> String {
    let bytes = fastrand::u128(..).to_ne_bytes();
    uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string()
}

fn update(circles: &Circles) -> UpdateCircleRequest {
    let (circle_id, capacity) = circles.any_with_new_capacity();
    UpdateCircleRequest {
        circle_id,
        name: None,
        capacity: Some(capacity),
        version: None,
        request_id: None,
    }
}

/// Reads one of these.
pub(crate) fn get(circles: &Circles) -> (Rpc, Bytes) {
    (Rpc::GetCircle, frame(&get_request(circles.any())))
}

fn get_request(circle_id: String) -> GetCircleRequest {
    GetCircleRequest {
        circle_id,
        min_sequence: None,
    }
}

/// What the empty call carries.
const ECHO: &str = "019ab0f2-9d5c-7c3e-8a55-0d1f0c2b3a49";

fn batch_get(circles: &Circles) -> BatchGetCirclesRequest {
    BatchGetCirclesRequest {
        circle_ids: (0..BATCH_GET).map(|_| circles.any()).collect(),
        min_sequence: None,
    }
}

/// The answer to a command.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) circle_id: String,
    pub(crate) sequence: i64,
}

/// One call at a time, of any kind.
pub(crate) struct Slot {
    command: Option<Caller>,
    query: Option<Caller>,
    echo: Option<Caller>,
}

impl Slot {
    pub(crate) fn new(targets: &Targets, n: usize) -> Self {
        let caller = |client: &Option<Client>| client.as_ref().map(|client| client.caller(n));
        Self {
            command: caller(&targets.command),
            query: caller(&targets.query),
            echo: caller(&targets.echo),
        }
    }

    /// Makes the call; returns what a command was answered with.
    pub(crate) async fn call(
        &mut self,
        rpc: Rpc,
        frame: Bytes,
    ) -> Result<Option<Written>, Failure> {
        let caller = match rpc.side() {
            Side::Command => self.command.as_mut(),
            Side::Query => self.query.as_mut(),
            Side::Echo => self.echo.as_mut(),
        };
        let caller = caller.ok_or(Failure::Malformed("no address for this call"))?;
        let answer = caller.call(rpc, frame).await?;
        let written = match rpc {
            Rpc::CreateCircle => CreateCircleResponse::decode(answer).map(|answer| Written {
                circle_id: answer.circle_id,
                sequence: answer.sequence,
            }),
            Rpc::UpdateCircle => UpdateCircleResponse::decode(answer).map(|answer| Written {
                circle_id: answer.circle_id,
                sequence: answer.sequence,
            }),
            // To decode these would tell nothing more, and would cost the services CPU time.
            Rpc::GetCircle | Rpc::BatchGetCircles | Rpc::ListCircles | Rpc::Echo | Rpc::Health => {
                return Ok(None);
            }
        };
        written
            .map(Some)
            .map_err(|_| Failure::Malformed("not the message expected"))
    }
}
