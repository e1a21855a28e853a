//! Private servers, for tests that kill them.

use std::path::{Path, PathBuf};
use std::process::Command;

use uuid::Uuid;

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
        let name = format!("circles-test-{}", Uuid::now_v7().simple());
        let mut server = Self {
            kind: kind.into(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            directory: std::env::temp_dir().join(name),
            url: String::new(),
        };
        server.url = server.run();
        server
    }

    /// The URL to connect to it: of a Redis's database 0, or of a MySQL without a database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it at once, as a crash would.
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
        assert_eq!(self.run(), self.url, "the server's port was taken");
    }

    fn run(&self) -> String {
        let start = ["start", self.kind.0];
        let output = script(&start, &self.directory, &self.arguments)
            .unwrap_or_else(|error| panic!("{}: {error}", start.join(" ")));
        output.lines().last().unwrap_or_default().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = script(&["kill"], &self.directory, &[]);
        let _ = std::fs::remove_dir_all(&self.directory);
    }
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
