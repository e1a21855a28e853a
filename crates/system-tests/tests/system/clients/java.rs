//! grpc-java, as Debian has it, with the protoc that suits it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use test_support::mysql::Engine;
use test_support::on_every_engine;

use super::{PROTOS, place, run, story, tool, workshop};

on_every_engine!(tells_the_story);

fn classpath() -> String {
    let jars = tool("clients/grpc-java/root/usr/share/java");
    format!("{}/*", jars.display())
}

static CLASSES: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = workshop("java");
    let (sources, classes) = (folder.join("sources"), folder.join("classes"));
    std::fs::create_dir(&sources).unwrap();
    let plugin = tool("clients/grpc-java/bin/grpc_java_plugin");
    run(Command::new(tool("clients/grpc-java/bin/protoc"))
        .arg(format!(
            "--plugin=protoc-gen-grpc-java={}",
            plugin.display()
        ))
        .args(["java_out", "grpc-java_out"].map(|kind| format!("--{kind}={}", sources.display())))
        .arg("-I")
        .arg(place("proto"))
        .arg("-I")
        .arg(tool("clients/googleapis"))
        .arg("-I")
        .arg(tool("clients/grpc-java/root/usr/include"))
        .args(PROTOS)
        .args(["google/rpc/status.proto", "google/rpc/error_details.proto"]));
    run(Command::new(tool("clients/bin/javac"))
        .args([
            "-nowarn",
            "-implicit:class",
            "-cp",
            &classpath(),
            "-sourcepath",
        ])
        .arg(&sources)
        .arg("-d")
        .arg(&classes)
        .arg(place("crates/clients/java/Client.java")));
    classes
});

async fn tells_the_story(engine: Engine) {
    let classes = tokio::task::spawn_blocking(|| &*CLASSES).await.unwrap();
    let mut client = Command::new(tool("clients/bin/java"));
    client
        .arg("-cp")
        .arg(format!("{}:{}", classes.display(), classpath()))
        .arg("Client");
    story::is_told_by(client, engine).await;
}
