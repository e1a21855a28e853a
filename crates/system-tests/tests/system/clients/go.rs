//! grpc-go, from the sources that Debian has, and without modules, as those come from elsewhere.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use test_support::mysql::Engine;
use test_support::on_every_engine;

use super::{place, protoc, run, story, tool, workshop};

on_every_engine!(tells_the_story);

static CLIENT: LazyLock<PathBuf> = LazyLock::new(|| {
    let gopath = workshop("go");
    let module = gopath.join("src/circles");
    std::fs::create_dir_all(&module).unwrap();
    std::fs::copy(place("crates/clients/go/main.go"), module.join("main.go")).unwrap();
    for kind in ["go", "go-grpc"] {
        let plugin = tool(&format!("clients/bin/protoc-gen-{kind}"));
        run(protoc()
            .arg(format!("--plugin=protoc-gen-{kind}={}", plugin.display()))
            .arg(format!("--{kind}_out={}", module.display()))
            .arg(format!("--{kind}_opt=module=circles")));
    }
    let client = gopath.join("client");
    let sources = tool("clients/gopath");
    run(Command::new(tool("clients/venv/bin/go"))
        .args(["build", "-o"])
        .arg(&client)
        .arg("circles")
        .env(
            "GOPATH",
            format!("{}:{}", gopath.display(), sources.display()),
        )
        .env("GOCACHE", tool("clients/go-cache"))
        .envs([
            ("GO111MODULE", "off"),
            ("GOTOOLCHAIN", "local"),
            ("CGO_ENABLED", "0"),
        ]));
    client
});

async fn tells_the_story(engine: Engine) {
    let client = tokio::task::spawn_blocking(|| &*CLIENT).await.unwrap();
    story::is_told_by(Command::new(client), engine).await;
}
