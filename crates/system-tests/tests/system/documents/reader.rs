//! Somebody who does what a document tells, in a shell of theirs.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::process::{self, Output};

use test_support::redis::{self, RedisDatabase};

use super::blocks::Command;
use super::machine::{Files, assert_runs, place};
use crate::support::System;

/// How long a whole document may take, in seconds.
const PATIENCE: &str = "300";

/// How long what goes on for ever has to connect and to write something, in seconds.
const WATCHED: u32 = 10;

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
        let root = files.folder().join("root");
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
                "mysql://drill:PASSWORD@127.0.0.1:3306/circles_copy",
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
        files.install(&places.mysql, &system.redis);
        reader
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
            Outcome::Endless => format!("timeout --signal=INT {WATCHED} {text}"),
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
        let folder = &self.files.folder();
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
        let read = |kind| fs::read_to_string(self.files.folder().join(format!("{n}.{kind}")));
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
        let mut folders = vec![self.files.folder().join("bin")];
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

/// One where nobody listens yet.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
