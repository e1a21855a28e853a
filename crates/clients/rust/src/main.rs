//! Commands and queries from Rust, with what a program in earnest needs.
//!
//! Usage: client-example [COMMAND_ADDRESS [QUERY_ADDRESS]]

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it shows what it does"
)]

mod call;
mod commands;
mod queries;

use std::process::ExitCode;

use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::circle_query_service_client::CircleQueryServiceClient;
use circles_proto::circles::v1::{
    Circle, CreateCircleResponse, DeleteCircleRequest, GetCircleHistoryRequest, GetCircleRequest,
};
use tokio::time::timeout;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::call::{DEADLINE, call};
use crate::commands::{create, creation, request_id, show_bad_fields, update};
use crate::queries::{list_all, watch};

type Commands = CircleCommandServiceClient<Channel>;
type Queries = CircleQueryServiceClient<Channel>;

async fn run(commands: &Commands, queries: &Queries) -> Result<(), Status> {
    let prefix = format!("example {} ", &Uuid::new_v4().simple().to_string()[..8]);

    show_bad_fields(commands).await?;

    let request = creation(format!("{prefix}football"), 20);
    let football = create(commands, &request).await?;
    let CreateCircleResponse {
        circle_id,
        version,
        sequence,
    } = &football;
    println!("created: {circle_id}, version {version}, sequence {sequence}");
    let again = create(commands, &request).await?;
    println!(
        "again: {}, version {}, sequence {}",
        again.circle_id, again.version, again.sequence
    );

    update(commands, circle_id, 1, 30).await?;
    let updated = update(commands, circle_id, 1, 40).await?;

    // With the sequence of a command's answer a query waits until the change is visible.
    let request = GetCircleRequest {
        circle_id: circle_id.clone(),
        min_sequence: Some(updated.sequence),
    };
    let read = call(&request, async |request| {
        queries.clone().get_circle(request).await
    })
    .await?;
    let Circle {
        name,
        capacity,
        version,
        ..
    } = read.circle.unwrap_or_default();
    println!("read: {name}, capacity {capacity}, version {version}");

    create(commands, &creation(format!("{prefix}baseball"), 25)).await?;
    let handball = create(commands, &creation(format!("{prefix}handball"), 15)).await?;
    let (mut circles, sequence) = list_all(queries, &prefix, handball.sequence).await?;

    let request = GetCircleHistoryRequest {
        circle_id: circle_id.clone(),
        ..Default::default()
    };
    let history = call(&request, async |request| {
        queries.clone().get_circle_history(request).await
    })
    .await?;
    for entry in history.entries {
        let kind = entry.r#type().as_str_name();
        println!(
            "history: {kind}, version {}, capacity {}",
            entry.version,
            entry.capacity_after()
        );
    }

    let request = DeleteCircleRequest {
        circle_id: handball.circle_id,
        version: Some(1),
        reason: Some("too few members".to_owned()),
        request_id: request_id(),
    };
    let deleted = call(&request, async |request| {
        commands.clone().delete_circle(request).await
    })
    .await?;
    timeout(
        DEADLINE,
        watch(queries, &mut circles, sequence, deleted.sequence),
    )
    .await
    .map_err(|_| Status::deadline_exceeded("the change was not told in time"))?
}

fn channel(address: Option<String>, default: &str) -> Result<Channel, tonic::transport::Error> {
    let address = address.unwrap_or_else(|| default.to_owned());
    Ok(Endpoint::from_shared(format!("http://{address}"))?.connect_lazy())
}

#[tokio::main]
async fn main() -> Result<ExitCode, tonic::transport::Error> {
    let mut arguments = std::env::args().skip(1);
    let commands = CircleCommandServiceClient::new(channel(arguments.next(), "127.0.0.1:50051")?);
    let queries = CircleQueryServiceClient::new(channel(arguments.next(), "127.0.0.1:50052")?);
    let Err(status) = run(&commands, &queries).await else {
        return Ok(ExitCode::SUCCESS);
    };
    let reason = status
        .get_details_error_info()
        .map_or_else(|| "no reason".to_owned(), |info| info.reason);
    eprintln!("{:?} ({reason}): {}", status.code(), status.message());
    Ok(ExitCode::FAILURE)
}
