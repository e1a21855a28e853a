//! grpcurl, which learns the protos by reflection.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};
use test_support::mysql::Engine;
use test_support::on_every_engine;

use super::{place, story, tool};
use crate::client::{create, until_visible};
use crate::support::System;

on_every_engine!(tells_the_story, grpcurl_is_enough);

async fn tells_the_story(engine: Engine) {
    // jq is the machine's, or comes with the tools.
    let path = std::env::var("PATH").unwrap_or_default();
    let (tools, jq) = (tool("venv/bin"), tool("clients/bin"));
    let mut client = Command::new(place("crates/clients/shell/client.sh"));
    client.env(
        "PATH",
        format!("{}:{}:{path}", tools.display(), jq.display()),
    );
    story::is_told_by(client, engine).await;
}

/// One call. Its answer, or its complaint.
fn grpcurl(address: SocketAddr, method: &str, request: &Value) -> Result<Value, String> {
    let output = Command::new(tool("venv/bin/grpcurl"))
        .args(["-plaintext", "-emit-defaults", "-d", &request.to_string()])
        .args([&address.to_string(), method])
        .output()
        .unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// What the story does not tell: the past of a circle, orders of lists, the operators' service.
async fn grpcurl_is_enough(engine: Engine) {
    let system = System::start(engine).await;
    let (id, sequence) = create(&system.services, "football").await;
    let services = &system.services;
    let update = grpcurl(
        services.command.address(),
        "circles.v1.CircleCommandService/UpdateCircle",
        &json!({ "circle_id": id, "capacity": 30, "version": 1 }),
    )
    .unwrap();
    assert_eq!(update["sequence"], (sequence + 1).to_string());

    let query = |method: &str, request: Value| {
        let method = format!("circles.v1.CircleQueryService/{method}");
        grpcurl(services.query.address(), &method, &request)
    };
    until_visible(services, &id, sequence + 1).await;
    let list = query(
        "ListCircles",
        json!({ "order_by": "CIRCLE_ORDER_CAPACITY_DESC", "filter": { "name_prefix": "foot" } }),
    )
    .unwrap();
    let circle = json!({ "circleId": id, "name": "football", "capacity": 30, "version": 2 });
    assert_eq!(list["circles"], json!([circle]));
    let first = query("GetCircleAsOf", json!({ "circle_id": id, "version": 1 })).unwrap();
    assert_eq!(first["circle"]["capacity"], 20);
    let never = query("GetCircleAsOf", json!({ "circle_id": id, "version": 3 })).unwrap_err();
    assert!(never.contains("VERSION_NOT_FOUND"), "{never}");

    let status = grpcurl(
        services.projector.address(),
        "circles.admin.v1.ProjectorAdminService/GetStatus",
        &json!({}),
    )
    .unwrap();
    assert_eq!(status["state"], "PROJECTOR_STATE_RUNNING");
    assert_eq!(
        (&status["headSequence"], &status["lagEvents"]),
        (&json!("2"), &json!("0"))
    );
    system.assert_consistent().await;
}
