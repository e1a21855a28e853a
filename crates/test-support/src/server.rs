//! Private servers, for tests that kill them, stop them, and put them back.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use uuid::Uuid;

use crate::signal;

/// What `deploy/local/server` calls a kind of server.
#[derive(Clone, Copy, Debug)]
pub struct Kind(pub(crate) &'static str);

/// A server for one test alone, which may kill it. Stopped when dropped.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    arguments: Vec<String>,
    directory: PathBuf,
    url: String,
}

impl Server {
    /// Starts a server with an empty folder, and waits until it answers.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    #[must_use]
    pub fn start(kind: impl Into<Kind>) -> Self {
        Self::start_with(kind, &[])
    }

    /// Starts a server with more arguments, as `["--requirepass", "secret"]`.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    #[must_use]
    pub fn start_with(kind: impl Into<Kind>, arguments: &[&str]) -> Self {
        Self::try_start(kind.into(), arguments).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts a server, or tells why it does not start.
    pub(crate) fn try_start(kind: Kind, arguments: &[&str]) -> Result<Self, String> {
        let mut server = Self {
            kind,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            directory: unused_directory(),
            url: String::new(),
        };
        server.url = server.run()?;
        Ok(server)
    }

    /// The URL to connect to it: of a Redis's database 0, or of a MySQL without a database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    ///
    /// # Panics
    ///
    /// Where its URL has no port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        address_in(&self.url)
    }

    /// Ends it at once, as a crash would. One that does not run is left alone.
    ///
    /// # Panics
    ///
    /// Where that fails.
    pub fn kill(&self) {
        script(&["kill"], &self.directory, &[]).expect("the server can be killed");
    }

    /// Starts it again with its data, on the same port.
    ///
    /// # Panics
    ///
    /// Where it does not start, or its port was taken meanwhile.
    pub fn restart(&self) {
        let url = self.run().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(url, self.url, "the server's port was taken");
    }

    /// Stops it where it is, with its connections open: nobody answers until [`Self::resume`].
    ///
    /// # Panics
    ///
    /// Where it does not run.
    pub fn pause(&self) {
        signal::pause(self.process());
    }

    /// Lets a paused server go on.
    ///
    /// # Panics
    ///
    /// Where it does not run.
    pub fn resume(&self) {
        signal::resume(self.process());
    }

    /// Ends it in order, copies its data, and starts it again on the same port.
    ///
    /// # Panics
    ///
    /// Where any of that fails.
    #[must_use]
    pub fn save(&self) -> Saved {
        script(&["stop"], &self.directory, &[]).expect("the server can be stopped");
        let saved = Saved {
            directory: unused_directory(),
        };
        copy(&self.data(), &saved.directory);
        self.restart();
        saved
    }

    /// Kills it, and starts it with the data that it had then: a backup put back, or a failover
    /// to a replica that lagged. What came later is lost.
    ///
    /// # Panics
    ///
    /// Where any of that fails.
    pub fn restore(&self, saved: &Saved) {
        self.kill();
        fs::remove_dir_all(self.data()).expect("the data of a killed server can be removed");
        copy(&saved.directory, &self.data());
        self.restart();
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn process(&self) -> u32 {
        fs::read_to_string(self.directory.join("pid"))
            .ok()
            .and_then(|process| process.trim().parse().ok())
            .expect("the server runs")
    }

    fn run(&self) -> Result<String, String> {
        let start = ["start", self.kind.0];
        let output = script(&start, &self.directory, &self.arguments)
            .map_err(|error| format!("{}: {error}", start.join(" ")))?;
        Ok(output.lines().last().unwrap_or_default().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = script(&["kill"], &self.directory, &[]);
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// What a server held when it was saved. Removed when dropped.
#[derive(Debug)]
pub struct Saved {
    directory: PathBuf,
}

impl Drop for Saved {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The place of a server on this machine, by its URL.
///
/// # Panics
///
/// Where the URL has no port.
#[must_use]
pub fn address_in(url: &str) -> SocketAddr {
    let server = url.split_once("://").map_or(url, |(_, server)| server);
    let port = server.rsplit(':').find_map(|part| {
        let end = part.find(['/', '?']).unwrap_or(part.len());
        part[..end].parse().ok()
    });
    SocketAddr::from(([127, 0, 0, 1], port.expect("the URL has a port")))
}

fn unused_directory() -> PathBuf {
    std::env::temp_dir().join(format!("circles-test-{}", Uuid::now_v7().simple()))
}

/// Copies a folder to a place where there is none.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(
        copied.is_ok_and(|status| status.success()),
        "{} can be copied",
        from.display()
    );
}

/// Runs `deploy/local/server`; its output, or what it complained of.
fn script(action: &[&str], directory: &Path, arguments: &[String]) -> Result<String, String> {
    let output = Command::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../deploy/local/server"
    ))
    .args(action)
    .arg(directory)
    .args(arguments)
    .output()
    .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
