//! The examples of crates/clients, as their users run them.
//!
//! All of them tell the same story, so that one expectation holds for every language.

mod forgetful;
mod story;

use std::path::PathBuf;
use std::process::Command;

use test_support::mysql::Engine;
use test_support::on_every_engine;

/// In the repository.
fn place(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

/// What deploy/local/tools and deploy/local/client-tools fetch.
fn tool(path: &str) -> PathBuf {
    let tool = place("target/tools").join(path);
    assert!(
        tool.exists(),
        "{} is missing: run the tests with `make test`",
        tool.display()
    );
    tool
}

/// What it writes, once it has succeeded.
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

/// A folder of a test's own, gone with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = format!("circles-{name}-{}", uuid::Uuid::now_v7().simple());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The protos of what a client calls.
const PROTOS: [&str; 3] = [
    "circles/v1/circle.proto",
    "circles/v1/command_service.proto",
    "circles/v1/query_service.proto",
];

mod python {
    use super::*;

    on_every_engine!(tells_the_story);

    async fn tells_the_story(engine: Engine) {
        let python = tool("venv/bin/python");
        let stubs = Scratch::new("python");
        let folder = stubs.0.display();
        run(Command::new(&python)
            .args(["-m", "grpc_tools.protoc", "-I"])
            .arg(place("proto"))
            .args([
                format!("--python_out={folder}"),
                format!("--grpc_python_out={folder}"),
            ])
            .args(PROTOS));
        let mut client = Command::new(&python);
        client
            .arg(place("crates/clients/python/client.py"))
            .env("PYTHONPATH", &stubs.0)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        story::is_told_by(client, engine).await;
    }
}

mod node {
    use super::*;

    on_every_engine!(tells_the_story);

    async fn tells_the_story(engine: Engine) {
        let mut client = Command::new(tool("clients/venv/bin/node"));
        client
            .arg(place("crates/clients/node/client.js"))
            .env("NODE_PATH", tool("clients/node/node_modules"));
        story::is_told_by(client, engine).await;
    }
}

mod rust {
    use super::*;

    on_every_engine!(tells_the_story);

    async fn tells_the_story(engine: Engine) {
        let client = Command::new(test_support::process::executable("client-example"));
        story::is_told_by(client, engine).await;
    }
}

mod shell;
