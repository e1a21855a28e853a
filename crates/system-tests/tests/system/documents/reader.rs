//! Somebody who does what a document tells, in a shell of theirs.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{self, Output};

use test_support::process::executable;
use test_support::redis::{self, RedisDatabase};
use uuid::Uuid;

use super::blocks::Command;
use crate::support::System;

/// How long a whole document may take, in seconds.
const PATIENCE: &str = "300";

/// Programs that no test calls.
const NOT_OURS: [&str; 11] = [
    "apt-get",
    "docker",
    "go",
    "helm",
    "kind",
    "kubectl",
    "make",
    "npm",
    "pip",
    "prometheus",
    "sudo",
];

/// In the repository.
pub(super) fn place(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path)
}

/// A folder that goes with it.
pub(super) struct Files(PathBuf);

impl Files {
    pub(super) fn new() -> Self {
        let name = format!("circles-documents-{}", Uuid::now_v7().simple());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A program of the reader's machine.
    fn program(&self, name: &str, text: &str) {
        let path = self.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{text}\n"));
        assert_runs(process::Command::new("chmod").args(["+x", &path]));
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn assert_runs(command: &mut process::Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// What comes of a command.
enum Outcome {
    Success,
    /// A failure that the document tells of.
    Failure(&'static str),
    /// It goes on until the reader ends it.
    Endless,
}

fn outcome(command: &str) -> Outcome {
    if command.contains("/SkipHole") {
        Outcome::Failure("NO_SUCH_HOLE")
    } else if command.contains(r#""capacity":40"#) {
        Outcome::Failure("the circle has version 2 now")
    } else if command.contains("/WatchCircles") {
        Outcome::Endless
    } else {
        Outcome::Success
    }
}

/// Whether a language can't be had here, so that its example can't run either: see deploy/local/client-tools.
fn is_missing(command: &str) -> bool {
    let needed = match command.split(' ').next() {
        Some("node") => "node/complete",
        Some("./client.sh") => "bin/jq",
        _ => return false,
    };
    !place("target/tools/clients").join(needed).exists()
}

pub(super) struct Reader<'a> {
    files: &'a Files,
    variables: Vec<(&'static str, String)>,
    /// What documents say, and what it is here. In this order.
    instead: Vec<(&'static str, String)>,
    /// What commands have to write, by a part of theirs.
    says: Vec<(&'static str, &'static str)>,
    database: String,
    _drill: RedisDatabase,
}

impl<'a> Reader<'a> {
    /// With a copy of what documents call, and with programs that know the system's servers.
    pub(super) async fn new(files: &'a Files, system: &System) -> Self {
        let root = files.0.join("root");
        fs::create_dir_all(root.join("crates")).unwrap();
        for folder in ["proto", "deploy", "migrations", "crates/clients"] {
            let copy = root.join(folder);
            assert_runs(
                process::Command::new("cp")
                    .arg("-r")
                    .arg(place(folder))
                    .arg(copy),
            );
        }
        let services = &system.services;
        let command = services.command.address().to_string();
        let query = services.query.address().to_string();
        let projector = services.projector.address().to_string();
        let drill = RedisDatabase::fresh(redis::Engine::Redis);
        let copy = format!("{}_copy", system.log.name());
        let copy_url = system.log.url().replace(system.log.name(), &copy);
        let both = format!("{command} {query}");
        let instead = vec![
            ("127.0.0.1:50051", command.clone()),
            ("127.0.0.1:50052", query.clone()),
            ("127.0.0.1:50053", projector.clone()),
            (
                "127.0.0.1:50063",
                services.projector.metrics().await.to_string(),
            ),
            ("127.0.0.1:50073", free_address()),
            (
                "mysql://drill@127.0.0.1:3306/circles_copy",
                format!("'{copy_url}'"),
            ),
            ("redis://127.0.0.1:6380/0", drill.url()),
            ("circles_copy", copy),
            ("python client.py", format!("python client.py {both}")),
            ("node client.js", format!("node client.js {both}")),
            ("./client.sh", format!("./client.sh {both}")),
            ("-p client-example", format!("-p client-example -- {both}")),
            (
                "circles-import -- ",
                format!("circles-import -- --address {command} "),
            ),
        ];
        let places = &services.places;
        let setting = |name: &str| {
            let found = places.settings.iter().find(|(it, _)| *it == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let variables = vec![
            ("CIRCLES_MYSQL_URL", places.mysql.clone()),
            ("CIRCLES_REDIS_URL", places.redis.clone()),
            ("CIRCLES_COMMAND_LISTEN", command),
            ("CIRCLES_QUERY_LISTEN", query),
            ("CIRCLES_PROJECTOR_LISTEN", projector),
            ("CIRCLES_LOG_FILE", setting("CIRCLES_LOG_FILE")),
        ];
        let reader = Self {
            files,
            variables,
            instead,
            says: Vec::new(),
            database: system.log.name().to_owned(),
            _drill: drill,
        };
        reader.install(&places.mysql, &system.redis);
        reader
    }

    fn install(&self, mysql: &str, redis: &RedisDatabase) {
        let options = self.files.write("my.cnf", &mysql_options(mysql));
        for name in ["mysql", "mysqldump"] {
            let program = fetched("mysql", name);
            self.files.program(
                name,
                &format!("exec {program} --defaults-file={options} \"$@\""),
            );
        }
        let server = redis.server_url();
        self.files.program(
            "redis-cli",
            &format!(
                "exec {} -e -u {server}/{} \"$@\"",
                fetched("redis", "redis-cli"),
                redis.number()
            ),
        );
        let programs = executable("");
        for name in ["command-service", "projector", "query-service"] {
            let program = executable(name);
            self.files
                .program(name, &format!("exec {} \"$@\"", program.display()));
        }
        // What cargo would build is built already.
        let run = r#"[ "$1" = run ] || exit 64
while [ "$1" != -p ]; do shift && [ $# -gt 1 ] || exit 64; done
name=$2
shift 2
[ "${1-}" != -- ] || shift"#;
        self.files.program(
            "cargo",
            &format!("{run}\nexec {}/\"$name\" \"$@\"", programs.display()),
        );
        // What would change the machine, or something else that is not the test's.
        for name in NOT_OURS {
            self.files.program(
                name,
                "echo 'not for a test: it belongs into not_run.rs' >&2; exit 1",
            );
        }
        // A machine can lack it.
        let read =
            "import sys, urllib.request as it; print(it.urlopen(sys.argv[-1]).read().decode())";
        self.files
            .program("curl", &format!("exec python -c '{read}' \"$@\""));
    }

    /// A variable of the shell.
    pub(super) fn set(&mut self, name: &'static str, value: &str) {
        self.variables.push((name, value.to_owned()));
    }

    /// What is at this address.
    pub(super) fn instead_of(&mut self, told: &'static str, here: &str) {
        self.instead.push((told, here.to_owned()));
    }

    /// A command with this part writes that.
    pub(super) fn expects(&mut self, part: &'static str, text: &'static str) {
        self.says.push((part, text));
    }

    /// The command as it is for the system that was started.
    fn here(&self, command: &str) -> String {
        let mut text = command.to_owned();
        for (told, here) in &self.instead {
            text = text.replace(told, here);
        }
        if command.starts_with("mysql") || command.contains("$(mysql") {
            text = text.replace(" circles ", &format!(" {} ", self.database));
        }
        match outcome(command) {
            Outcome::Endless => format!("timeout --signal=INT 3 {text}"),
            Outcome::Success | Outcome::Failure(_) => text,
        }
    }

    /// Runs all of it in one shell, so that a variable stays, and each block from where its document takes the reader to
    /// be. Each command has to come to the end that it should.
    pub(super) async fn run(self, document: &str, commands: &[Command]) {
        for (part, _) in &self.says {
            let said = commands.iter().any(|it| it.text.contains(part));
            assert!(said, "{document} has no command with {part}");
        }
        let folder = &self.files.0;
        let (mut script, mut block) = (String::new(), 0);
        for (n, command) in commands.iter().enumerate() {
            if is_missing(&command.text) {
                // `make test` says so in its last lines.
                continue;
            }
            if command.block != block {
                block = command.block;
                let at = start_of(document, command);
                writeln!(script, "cd {}/root/{at}", folder.display()).unwrap();
            }
            let text = self.here(&command.text);
            let out = format!("{}/{n}", folder.display());
            writeln!(
                script,
                "{{\n{text}\n}} >{out}.out 2>&1\necho $? >{out}.status"
            )
            .unwrap();
        }
        let script = self.files.write("script", &script);
        let mut shell = process::Command::new("timeout");
        shell
            .args(["--kill-after=5", PATIENCE, "bash", &script])
            .stdin(process::Stdio::null())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("NODE_PATH", place("target/tools/clients/node/node_modules"))
            .env("PATH", self.path());
        let output = tokio::task::spawn_blocking(move || shell.output().unwrap());
        let output = output.await.unwrap();
        for (n, command) in commands.iter().enumerate() {
            if !is_missing(&command.text) {
                let here = self.here(&command.text);
                self.judge(
                    n,
                    command,
                    &format!("{document}:{}: {here}", command.line),
                    &output,
                );
            }
        }
    }

    fn judge(&self, n: usize, command: &Command, what: &str, shell: &Output) {
        let read = |kind| fs::read_to_string(self.files.0.join(format!("{n}.{kind}")));
        let out = read("out").unwrap_or_default();
        let errors = String::from_utf8_lossy(&shell.stderr);
        let status = read("status").unwrap_or_else(|_| panic!("{what}\nno end\n{out}\n{errors}"));
        let status = status.trim();
        self.hears(command, what, &out);
        match outcome(&command.text) {
            Outcome::Success => assert_eq!(status, "0", "{what}\n{out}\n{errors}"),
            Outcome::Failure(text) => {
                assert!(
                    status != "0" && out.contains(text),
                    "{what}\n{status}: {out}"
                );
            }
            Outcome::Endless => {
                assert!(
                    status == "124" && !out.is_empty(),
                    "{what}\n{status}: {out}"
                );
            }
        }
    }

    fn hears(&self, command: &Command, what: &str, out: &str) {
        for (part, text) in &self.says {
            if command.text.contains(part) {
                assert!(out.contains(text), "{what}\nno {text:?}: {out}");
            }
        }
    }

    fn path(&self) -> String {
        let tools = ["venv/bin", "clients/venv/bin", "clients/bin"];
        let mut folders = vec![self.files.0.join("bin")];
        folders.extend(tools.map(|tool| place("target/tools").join(tool)));
        let grpcurl = folders[1].join("grpcurl");
        assert!(
            grpcurl.exists(),
            "{} is missing: run the tests with `make test`",
            grpcurl.display()
        );
        let folders = folders.iter().map(|it| it.display().to_string());
        let folders: Vec<_> = folders.chain(std::env::var("PATH")).collect();
        folders.join(":")
    }
}

/// Where the reader is when a block begins: the root of the repository, but for the examples of clients, each of which
/// is a folder.
fn start_of(document: &str, command: &Command) -> String {
    if document != super::CLIENTS {
        return String::new();
    }
    let language = command.title.split("**").nth(1).unwrap_or_default();
    format!("crates/clients/{}", language.to_lowercase())
}

/// A program that deploy/local/fetch has unpacked, else the machine's.
fn fetched(kind: &str, name: &str) -> String {
    let program = place("target/servers").join(kind).join("bin").join(name);
    let name = match program.exists() {
        true => program.display().to_string(),
        false => name.to_owned(),
    };
    let own = format!("/{name}");
    match std::env::var("PATH") {
        // Not the one that is being made.
        Ok(path) if !Path::new(&name).is_absolute() => {
            let mut found = path.split(':').map(|folder| format!("{folder}{own}"));
            found.find(|it| Path::new(it).exists()).unwrap_or(name)
        }
        _ => name,
    }
}

/// What the client of MySQL is told of a URL.
fn mysql_options(url: &str) -> String {
    let rest = url.split_once("://").unwrap().1;
    let (account, rest) = rest.rsplit_once('@').unwrap();
    let (user, password) = account.split_once(':').unwrap_or((account, ""));
    let (host, rest) = rest.split_once('/').unwrap();
    let (host, port) = host.split_once(':').unwrap_or((host, "3306"));
    let mut options =
        format!("[client]\nuser={user}\npassword={password}\nhost={host}\nport={port}\n");
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    for option in query.split('&') {
        if let Some(socket) = option.strip_prefix("socket=") {
            writeln!(options, "socket={socket}").unwrap();
        }
    }
    options
}

/// One where nobody listens yet.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
