//! Clients that are not ours: generated from the protos, and by hand.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use test_support::mysql::Engine;
use test_support::on_every_engine;
use uuid::Uuid;

use crate::support::System;

on_every_engine!(python_generates_its_client_and_uses_it, grpcurl_is_enough);

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn tool(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run the tests with `make test`"))
}

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stdout}\n{stderr}",
        output.status
    );
    stdout
}

async fn python_generates_its_client_and_uses_it(engine: Engine) {
    let system = System::start(engine).await;
    let python = tool("CIRCLES_TEST_PYTHON");
    let stubs = std::env::temp_dir().join(format!("circles-stubs-{}", Uuid::now_v7().simple()));
    std::fs::create_dir(&stubs).unwrap();
    let protos = repository().join("proto");
    run(Command::new(&python)
        .args(["-m", "grpc_tools.protoc", "-I"])
        .arg(&protos)
        .arg(format!("--python_out={}", stubs.display()))
        .arg(format!("--grpc_python_out={}", stubs.display()))
        .args([
            "circles/v1/circle.proto",
            "circles/v1/command_service.proto",
        ])
        .arg("circles/v1/query_service.proto"));
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/story.py");
    let id = run(Command::new(&python)
        .arg(story)
        .args([
            system.services.command.address().to_string(),
            system.services.query.address().to_string(),
        ])
        .env("PYTHONPATH", &stubs)
        .env("PYTHONDONTWRITEBYTECODE", "1"));
    let id = id.trim();
    let _ = std::fs::remove_dir_all(&stubs);

    // What the Python client saw is what is stored.
    assert_eq!(
        system.redis.command(&["GET", &format!("circle:{id}")]),
        [format!(
            r#"{{"id":"{id}","name":"baseball","capacity":40,"version":3}}"#
        )]
    );
    system.assert_consistent().await;
}

/// One call with grpcurl, which learns the protos by reflection. Its answer, or its complaint.
fn grpcurl(address: std::net::SocketAddr, method: &str, request: &Value) -> Result<Value, String> {
    let output = Command::new(tool("CIRCLES_TEST_GRPCURL"))
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

async fn grpcurl_is_enough(engine: Engine) {
    let system = System::start(engine).await;
    let command = |method: &str, request: &Value| {
        let method = format!("circles.v1.CircleCommandService/{method}");
        grpcurl(system.services.command.address(), &method, request)
    };
    let create = json!({ "name": "football", "capacity": 20 });
    let created = loop {
        match command("CreateCircle", &create) {
            Ok(created) => break created,
            Err(error) => assert!(error.contains("Unavailable"), "{error}"),
        }
    };
    assert_eq!(
        (&created["version"], &created["sequence"]),
        (&json!(1), &json!("1"))
    );
    let id = &created["circleId"];

    let updated = command(
        "UpdateCircle",
        &json!({ "circle_id": id, "capacity": 30, "version": 1 }),
    )
    .unwrap();
    assert_eq!(updated["version"], 2);
    let late = json!({ "circle_id": id, "capacity": 50, "version": 1 });
    let conflict = command("UpdateCircle", &late).unwrap_err();
    assert!(conflict.contains("Code: Aborted"), "{conflict}");
    assert!(conflict.contains(r#""present_version":"2""#), "{conflict}");

    let wrong = json!({ "name": " ", "capacity": 2, "circle_id": "no id" });
    let wrong = command("CreateCircle", &wrong).unwrap_err();
    assert!(wrong.contains("Code: InvalidArgument"), "{wrong}");
    for field in ["name", "capacity", "circle_id"] {
        assert!(wrong.contains(&format!(r#""field":"{field}""#)), "{wrong}");
    }

    let read = grpcurl(
        system.services.query.address(),
        "circles.v1.CircleQueryService/GetCircle",
        &json!({ "circle_id": id, "min_sequence": updated["sequence"] }),
    )
    .unwrap();
    let circle = json!({ "circleId": id, "name": "football", "capacity": 30, "version": 2 });
    assert_eq!(read["circle"], circle);
    let list = grpcurl(
        system.services.query.address(),
        "circles.v1.CircleQueryService/ListCircles",
        &json!({ "order_by": "CIRCLE_ORDER_CAPACITY_DESC", "filter": { "name_prefix": "foot" } }),
    )
    .unwrap();
    assert_eq!(list["circles"], json!([circle]));

    let query = |method: &str, request: Value| {
        let method = format!("circles.v1.CircleQueryService/{method}");
        grpcurl(system.services.query.address(), &method, &request)
    };
    let history = query("GetCircleHistory", json!({ "circle_id": id })).unwrap();
    assert_eq!(history["entries"][1]["capacityBefore"], 20);
    assert_eq!(history["entries"][1]["capacityAfter"], 30);
    let first = query("GetCircleAsOf", json!({ "circle_id": id, "version": 1 })).unwrap();
    assert_eq!(first["circle"]["capacity"], 20);
    let never = query("GetCircleAsOf", json!({ "circle_id": id, "version": 3 })).unwrap_err();
    assert!(never.contains("VERSION_NOT_FOUND"), "{never}");

    let status = grpcurl(
        system.services.projector.address(),
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
