//! The examples of crates/clients, as their users run them.
//!
//! All of them tell the same story, so that one expectation holds for every language.

mod forgetful;
mod go;
mod java;
mod shell;
mod story;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

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

/// An empty folder for what has to be made of an example before it runs, which is done once.
fn workshop(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The protos of what a client calls.
const PROTOS: [&str; 3] = [
    "circles/v1/circle.proto",
    "circles/v1/command_service.proto",
    "circles/v1/query_service.proto",
];

/// protoc, as Python's packages bring it along, for the protos.
fn protoc() -> Command {
    let mut protoc = Command::new(tool("venv/bin/python"));
    protoc
        .args(["-m", "grpc_tools.protoc", "-I"])
        .arg(place("proto"))
        .args(PROTOS);
    protoc
}

mod python {
    use super::*;

    on_every_engine!(tells_the_story);

    static STUBS: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = workshop("python");
        run(protoc().args(
            ["python_out", "grpc_python_out"].map(|kind| format!("--{kind}={}", folder.display())),
        ));
        folder
    });

    async fn tells_the_story(engine: Engine) {
        let mut client = Command::new(tool("venv/bin/python"));
        client
            .arg(place("crates/clients/python/client.py"))
            .env("PYTHONPATH", &*STUBS)
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
