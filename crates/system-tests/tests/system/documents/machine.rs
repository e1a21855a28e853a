//! The reader's machine: files, and programs.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use test_support::process::executable;
use test_support::redis::RedisDatabase;
use uuid::Uuid;

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

    pub(super) fn folder(&self) -> &Path {
        &self.0
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

    /// The programs that documents call, which know these servers.
    pub(super) fn install(&self, mysql: &str, redis: &RedisDatabase) {
        let options = self.write("my.cnf", &mysql_options(mysql));
        for name in ["mysql", "mysqldump"] {
            let program = fetched("mysql", name);
            self.program(name, &format!("{program} --defaults-file={options} \"$@\""));
        }
        let server = redis.server_url();
        self.program(
            "redis-cli",
            &format!(
                "{} -e -u {server}/{} \"$@\"",
                fetched("redis", "redis-cli"),
                redis.number()
            ),
        );
        let programs = executable("");
        for name in ["command-service", "projector", "query-service"] {
            let program = executable(name);
            self.program(name, &format!("exec {} \"$@\"", program.display()));
        }
        // What cargo would build is built already.
        let run = r#"[ "$1" = run ] || exit 64
while [ "$1" != -p ]; do shift && [ $# -gt 1 ] || exit 64; done
name=$2
shift 2
[ "${1-}" != -- ] || shift"#;
        self.program(
            "cargo",
            &format!("{run}\nexec {}/\"$name\" \"$@\"", programs.display()),
        );
        // What would change the machine, or something else that is not the test's.
        for name in NOT_OURS {
            self.program(
                name,
                "echo 'not for a test: it belongs into not_run.rs' >&2; exit 1",
            );
        }
        // A machine can lack it.
        let read =
            "import sys, urllib.request as it; print(it.urlopen(sys.argv[-1]).read().decode())";
        self.program("curl", &format!("exec python -c '{read}' \"$@\""));
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn assert_runs(command: &mut process::Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// A program that deploy/local/fetch has unpacked, else the machine's.
fn fetched(kind: &str, name: &str) -> String {
    let unpacked = place("target/servers").join(kind).join("bin");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut folders = vec![unpacked];
    folders.extend(path.split(':').map(PathBuf::from));
    let mut programs = folders.iter().map(|folder| folder.join(name));
    match programs.find(|program| program.exists()) {
        Some(program) => format!("exec {}", program.display()),
        None => format!("echo '{name} is missing: deploy/local/fetch {kind}' >&2; exit 127;"),
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
