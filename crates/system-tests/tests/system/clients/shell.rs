//! grpcurl, which learns the protos by reflection.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};
use test_support::mysql::Engine;
use test_support::on_every_engine;
use uuid::Uuid;

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

/// What the story does not tell: orders of lists, the past, several circles, one that is deleted, and the
/// operators' service.
async fn grpcurl_is_enough(engine: Engine) {
    let system = System::start(engine).await;
    let (id, sequence) = create(&system.services, "football").await;
    let services = &system.services;
    let command = |method: &str, request: &Value| {
        let method = format!("circles.v1.CircleCommandService/{method}");
        grpcurl(services.command.address(), &method, request)
    };
    let update = json!({ "circle_id": id, "capacity": 30, "version": 1 });
    let update = command("UpdateCircle", &update).unwrap();
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

    let history = query("GetCircleHistory", json!({ "circle_id": id })).unwrap();
    let created_at = &history["entries"][0]["occurredAt"];
    let then = query(
        "GetCircleAsOf",
        json!({ "circle_id": id, "time": created_at }),
    )
    .unwrap();
    assert_eq!(then["circle"], first["circle"]);
    let missing = Uuid::now_v7().to_string();
    let batch = query("BatchGetCircles", json!({ "circle_ids": [missing, id] })).unwrap();
    assert_eq!(batch["circles"], json!([circle]));
    assert_eq!(batch["missingCircleIds"], json!([missing]));

    let delete = json!({ "circle_id": id, "reason": "nobody came" });
    let deleted = command("DeleteCircle", &delete).unwrap();
    let get = json!({ "circle_id": id, "min_sequence": deleted["sequence"] });
    let gone = query("GetCircle", get).unwrap_err();
    assert!(gone.contains("Code: NotFound"), "{gone}");
    let late = command("DeleteCircle", &delete).unwrap_err();
    assert!(late.contains("Code: FailedPrecondition"), "{late}");

    let status = grpcurl(
        services.projector.address(),
        "circles.admin.v1.ProjectorAdminService/GetStatus",
        &json!({}),
    )
    .unwrap();
    assert_eq!(status["state"], "PROJECTOR_STATE_RUNNING");
    assert_eq!(
        (&status["headSequence"], &status["lagEvents"]),
        (&json!("3"), &json!("0"))
    );
    system.assert_consistent().await;
}
