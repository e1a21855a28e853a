//! Commands, and what to do about those that are refused.

use circles_proto::circles::v1::{
    CreateCircleRequest, CreateCircleResponse, UpdateCircleRequest, UpdateCircleResponse,
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::Commands;
use crate::call::call;

/// Makes a command safe to repeat: a second one under the same id changes nothing and gets the
/// answer of the first one.
pub(crate) fn request_id() -> Option<String> {
    Some(Uuid::new_v4().to_string())
}

pub(crate) fn creation(name: String, capacity: i32) -> CreateCircleRequest {
    CreateCircleRequest {
        name,
        capacity,
        circle_id: None,
        request_id: request_id(),
    }
}

pub(crate) async fn create(
    commands: &Commands,
    request: &CreateCircleRequest,
) -> Result<CreateCircleResponse, Status> {
    call(request, async |request| {
        commands.clone().create_circle(request).await
    })
    .await
}

/// Every field that breaks a rule is named, for a form to show beside it.
pub(crate) async fn show_bad_fields(commands: &Commands) -> Result<(), Status> {
    match create(commands, &creation(" ".to_owned(), 2)).await {
        Err(status) if status.code() == Code::InvalidArgument => {
            if let Some(bad) = status.get_details_bad_request() {
                for violation in bad.field_violations {
                    println!("invalid {}: {}", violation.field, violation.description);
                }
            }
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Changes a circle that is as the caller saw it, or as it has become meanwhile.
pub(crate) async fn update(
    commands: &Commands,
    circle_id: &str,
    mut version: i32,
    capacity: i32,
) -> Result<UpdateCircleResponse, Status> {
    loop {
        let request = UpdateCircleRequest {
            circle_id: circle_id.to_owned(),
            name: None,
            capacity: Some(capacity),
            version: Some(version),
            request_id: request_id(),
        };
        let answer = call(&request, async |request| {
            commands.clone().update_circle(request).await
        })
        .await;
        match answer {
            Ok(updated) => {
                println!(
                    "updated: version {}, sequence {}",
                    updated.version, updated.sequence
                );
                return Ok(updated);
            }
            // Somebody else was faster. A program in earnest reads the circle again here, and
            // decides whether its change still makes sense.
            Err(status) if status.code() == Code::Aborted => {
                version = present_version(&status).ok_or(status)?;
                println!("conflict: the circle has version {version} now");
            }
            Err(status) => return Err(status),
        }
    }
}

fn present_version(conflict: &Status) -> Option<i32> {
    let info = conflict.get_details_error_info()?;
    info.metadata.get("present_version")?.parse().ok()
}
