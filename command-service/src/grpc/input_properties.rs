//! Requests are taken or refused, whatever they are.

use std::fmt::Debug;

use fuzz_support::grpc::{check_refused, messages};
use fuzz_support::{bytes, texts};
use proptest::option;
use proptest::prelude::*;
use shared_domain::Command;
use tonic::Request;
use tonic::metadata::AsciiMetadataValue;

use super::convert::IntoOrder;
use super::*;
use crate::commands::Target;

const ID: &str = "01890000-0000-7000-8000-000000000001";

fn ids() -> impl Strategy<Value = String> {
    texts([ID, ID, "01890000-0000-7000-8000-00000000000f", ""])
}

fn names() -> impl Strategy<Value = String> {
    texts(["chess", " 将棋 ", "cafe\u{301}", &"x".repeat(100), ""])
}

fn numbers() -> impl Strategy<Value = i32> {
    prop_oneof![0..40_i32, any::<i32>()]
}

/// What is ordered is what was asked for; what is refused names its fields and does not grow with what was sent.
fn check<M: IntoOrder + Clone + Debug>(
    message: M,
    request_id: Option<String>,
    is_asked_for: impl FnOnce(&Target, &Command) -> bool,
) -> Result<(), TestCaseError> {
    let caller = Caller::of(&Request::new(()));
    match convert::order(message.clone(), caller) {
        Ok(order) => {
            let given = order.metadata.request_id;
            prop_assert_eq!(given.map(|id| id.to_string()), request_id);
            prop_assert!(given.is_none_or(|id| id == order.event_id));
            prop_assert!(is_asked_for(&order.target, &order.command), "{:?}", message);
        }
        Err(status) => check_refused(&status, 6)?,
    }
    Ok(())
}

fn names_it(target: &Target, id: &str) -> bool {
    matches!(target, Target::Named(named) if named.to_string() == id)
}

fn create_requests() -> impl Strategy<Value = CreateCircleRequest> {
    let sample = CreateCircleRequest {
        name: "chess".to_owned(),
        capacity: 20,
        circle_id: Some(ID.to_owned()),
        request_id: Some(ID.to_owned()),
    };
    let fields = (names(), numbers(), option::of(ids()), option::of(ids())).prop_map(
        |(name, capacity, circle_id, request_id)| CreateCircleRequest {
            name,
            capacity,
            circle_id,
            request_id,
        },
    );
    messages([sample], fields)
}

fn import_requests() -> impl Strategy<Value = ImportCirclesRequest> {
    let sample = ImportCirclesRequest {
        name: "chess".to_owned(),
        capacity: 20,
        request_id: Some(ID.to_owned()),
    };
    let fields =
        (names(), numbers(), option::of(ids())).prop_map(|(name, capacity, request_id)| {
            ImportCirclesRequest {
                name,
                capacity,
                request_id,
            }
        });
    messages([sample], fields)
}

fn update_requests() -> impl Strategy<Value = UpdateCircleRequest> {
    let sample = UpdateCircleRequest {
        circle_id: ID.to_owned(),
        name: Some("chess".to_owned()),
        capacity: Some(20),
        version: Some(1),
        request_id: Some(ID.to_owned()),
    };
    let numbers = || option::of(numbers());
    let fields = (
        ids(),
        option::of(names()),
        numbers(),
        numbers(),
        option::of(ids()),
    )
        .prop_map(
            |(circle_id, name, capacity, version, request_id)| UpdateCircleRequest {
                circle_id,
                name,
                capacity,
                version,
                request_id,
            },
        );
    messages([sample], fields)
}

fn delete_requests() -> impl Strategy<Value = DeleteCircleRequest> {
    let sample = DeleteCircleRequest {
        circle_id: ID.to_owned(),
        version: Some(1),
        reason: Some("too few".to_owned()),
        request_id: Some(ID.to_owned()),
    };
    let fields = (
        ids(),
        option::of(numbers()),
        option::of(names()),
        option::of(ids()),
    )
        .prop_map(
            |(circle_id, version, reason, request_id)| DeleteCircleRequest {
                circle_id,
                version,
                reason,
                request_id,
            },
        );
    messages([sample], fields)
}

proptest! {
    #[test]
    fn create_requests_survive_any_bytes(message in create_requests()) {
        let CreateCircleRequest { capacity, circle_id, request_id, .. } = message.clone();
        check(message, request_id, |target, command| {
            let is_target = match circle_id {
                Some(id) => names_it(target, &id),
                None => matches!(target, Target::New(_)),
            };
            let is_capacity = |given| i32::from(given) == capacity;
            is_target && matches!(command, Command::Create { capacity, .. } if is_capacity(capacity.get()))
        })?;
    }

    #[test]
    fn import_requests_survive_any_bytes(message in import_requests()) {
        let request_id = message.request_id.clone();
        check(message, request_id, |target, command| {
            matches!((target, command), (Target::New(_), Command::Create { .. }))
        })?;
    }

    #[test]
    fn update_requests_survive_any_bytes(message in update_requests()) {
        let UpdateCircleRequest { circle_id, request_id, version, .. } = message.clone();
        let asked = (message.name.is_some(), message.capacity);
        check(message, request_id, |target, command| match command {
            Command::Update { name, capacity, expected } => {
                names_it(target, &circle_id)
                    && (name.is_some(), capacity.map(|it| it.get().into())) == asked
                    && expected.map(|it| it.get()) == version
                    && (name.is_some() || capacity.is_some())
            }
            _ => false,
        })?;
    }

    #[test]
    fn delete_requests_survive_any_bytes(message in delete_requests()) {
        let DeleteCircleRequest { circle_id, request_id, version, .. } = message.clone();
        let has_reason = message.reason.as_ref().is_some_and(|it| !it.is_empty());
        check(message, request_id, |target, command| match command {
            Command::Delete { reason, expected } => {
                names_it(target, &circle_id)
                    && reason.is_some() == has_reason
                    && expected.map(|it| it.get()) == version
            }
            _ => false,
        })?;
    }

    #[test]
    fn traces_of_calls_survive_any_bytes(
        value in bytes(["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]),
    ) {
        let Ok(header) = AsciiMetadataValue::try_from(value.as_slice()) else {
            return Ok(());
        };
        let mut request = Request::new(());
        request.metadata_mut().insert("traceparent", header);
        let message = DeleteCircleRequest { circle_id: ID.to_owned(), ..DeleteCircleRequest::default() };
        let order = convert::order(message, Caller::of(&request)).unwrap();
        // It goes into the log for ever: as it came, in the one form that it has, or not at all.
        if let Some(trace) = order.metadata.traceparent {
            prop_assert_eq!(trace.as_bytes(), value.as_slice());
            prop_assert_eq!(trace.len(), 55);
            prop_assert!(trace.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9' | b'a'..=b'f')));
        }
    }
}
