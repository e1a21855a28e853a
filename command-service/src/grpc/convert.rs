//! Requests into domain values: every field that breaks a rule is named, all at once.

use std::fmt::Display;

use circles_proto::circles::v1::{
    CreateCircleRequest, DeleteCircleRequest, ImportCirclesRequest, UpdateCircleRequest,
};
use service_kit::auth::Identity;
use service_kit::deadline::Deadline;
use service_kit::status::FieldViolation;
use shared_domain::{
    Capacity, CircleId, CircleName, Command, DeletionReason, EventId, Metadata, Sequence, Version,
};
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::commands::{Order, Target};
use crate::failure::DOMAIN;

/// A request that orders something.
pub(crate) trait IntoOrder {
    /// What is ordered, and under which request id.
    fn into_order(self, fields: &mut Fields) -> Option<(Target, Command, Option<EventId>)>;
}

/// What is known of a call besides its messages.
#[derive(Clone)]
pub(crate) struct Caller {
    traceparent: Option<String>,
    /// Whom the token was made out to, where tokens are asked for.
    actor: Option<String>,
    deadline: Option<Deadline>,
}

impl Caller {
    pub(crate) fn of<T>(request: &Request<T>) -> Self {
        Self {
            traceparent: traceparent(request.metadata()),
            actor: Identity::of(request.extensions()).map(|identity| identity.subject.clone()),
            deadline: Deadline::of(request.extensions()),
        }
    }
}

/// Turns a message of a caller into an order.
pub(crate) fn order(message: impl IntoOrder, caller: Caller) -> Result<Order, Status> {
    let Caller {
        traceparent,
        actor,
        deadline,
    } = caller;
    let mut fields = Fields::default();
    let ordered = message.into_order(&mut fields);
    let Some((target, command, request_id)) = ordered else {
        return Err(DOMAIN.invalid_fields(fields.violations));
    };
    Ok(Order {
        target,
        command,
        event_id: request_id.unwrap_or_else(|| EventId::from_uuid(Uuid::now_v7())),
        metadata: Metadata {
            traceparent,
            actor,
            request_id,
        },
        deadline,
    })
}

/// A sequence as the protos carry it.
pub(crate) fn sequence(sequence: Sequence) -> i64 {
    // No log reaches 2^63 events.
    i64::try_from(sequence.get()).unwrap_or(i64::MAX)
}

/// What is wrong with a request.
#[derive(Default)]
pub(crate) struct Fields {
    violations: Vec<FieldViolation>,
}

impl Fields {
    /// Keeps the value, or the rule that it breaks.
    fn check<T, E: Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(rule) => {
                self.violations
                    .push(FieldViolation::new(field, rule.to_string()));
                None
            }
        }
    }

    /// The same for a field that may be missing. The outer option is whether it is valid.
    fn check_optional<V, T, E: Display>(
        &mut self,
        field: &str,
        value: Option<V>,
        parse: impl FnOnce(V) -> Result<T, E>,
    ) -> Option<Option<T>> {
        match value {
            Some(value) => self.check(field, parse(value)).map(Some),
            None => Some(None),
        }
    }

    fn request_id(&mut self, value: Option<String>) -> Option<Option<EventId>> {
        self.check_optional("request_id", value, |id| EventId::parse(&id))
    }

    fn circle_id(&mut self, value: &str) -> Option<CircleId> {
        self.check("circle_id", CircleId::parse(value))
    }

    fn version(&mut self, value: Option<i32>) -> Option<Option<Version>> {
        self.check_optional("version", value, |version| Version::new(version.into()))
    }
}

impl IntoOrder for CreateCircleRequest {
    fn into_order(self, fields: &mut Fields) -> Option<(Target, Command, Option<EventId>)> {
        let name = fields.check("name", CircleName::new(&self.name));
        let capacity = fields.check("capacity", Capacity::new(self.capacity.into()));
        let named = fields.check_optional("circle_id", self.circle_id, |id| CircleId::parse(&id));
        let request_id = fields.request_id(self.request_id);
        let command = Command::Create {
            name: name?,
            capacity: capacity?,
        };
        let target = match named? {
            Some(id) => Target::Named(id),
            None => Target::New(CircleId::from_uuid(Uuid::now_v7())),
        };
        Some((target, command, request_id?))
    }
}

impl IntoOrder for ImportCirclesRequest {
    fn into_order(self, fields: &mut Fields) -> Option<(Target, Command, Option<EventId>)> {
        let Self {
            name,
            capacity,
            request_id,
        } = self;
        let creation = CreateCircleRequest {
            name,
            capacity,
            circle_id: None,
            request_id,
        };
        creation.into_order(fields)
    }
}

impl IntoOrder for UpdateCircleRequest {
    fn into_order(self, fields: &mut Fields) -> Option<(Target, Command, Option<EventId>)> {
        let id = fields.circle_id(&self.circle_id);
        let changes = if self.name.is_some() || self.capacity.is_some() {
            Ok(())
        } else {
            Err("an update has a name, a capacity, or both")
        };
        let changes = fields.check("name", changes);
        let name = fields.check_optional("name", self.name, |name| CircleName::new(&name));
        let capacity = fields.check_optional("capacity", self.capacity, |capacity| {
            Capacity::new(capacity.into())
        });
        let expected = fields.version(self.version);
        let request_id = fields.request_id(self.request_id);
        changes?;
        let command = Command::Update {
            name: name?,
            capacity: capacity?,
            expected: expected?,
        };
        Some((Target::Named(id?), command, request_id?))
    }
}

impl IntoOrder for DeleteCircleRequest {
    fn into_order(self, fields: &mut Fields) -> Option<(Target, Command, Option<EventId>)> {
        let id = fields.circle_id(&self.circle_id);
        let expected = fields.version(self.version);
        // Many clients send an empty text for no text.
        let reason = self.reason.filter(|reason| !reason.is_empty());
        let reason = fields.check_optional("reason", reason, |reason| DeletionReason::new(&reason));
        let request_id = fields.request_id(self.request_id);
        let command = Command::Delete {
            reason: reason?,
            expected: expected?,
        };
        Some((Target::Named(id?), command, request_id?))
    }
}

/// The caller's trace, if the header has the form that W3C Trace Context gives it.
fn traceparent(metadata: &MetadataMap) -> Option<String> {
    let text = metadata.get("traceparent")?.to_str().ok()?;
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    let hexadecimal = |c: char| c == '-' || matches!(c, '0'..='9' | 'a'..='f');
    (lengths == [2, 32, 16, 2] && text.chars().all(hexadecimal)).then(|| text.to_owned())
}
