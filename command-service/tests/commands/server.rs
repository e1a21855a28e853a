//! A MariaDB for one test alone, which may set it up as it likes and kill it.

use std::path::PathBuf;
use std::process::Command;

use uuid::Uuid;

/// Stopped when dropped.
pub(crate) struct Server {
    directory: PathBuf,
    arguments: Vec<&'static str>,
    url: String,
}

impl Server {
    /// Starts it with nothing in it, and waits until it answers.
    pub(crate) fn start(arguments: &[&'static str]) -> Self {
        let name = format!("circles-test-{}", Uuid::now_v7().simple());
        let mut server = Self {
            directory: std::env::temp_dir().join(name),
            arguments: arguments.to_vec(),
            url: String::new(),
        };
        server.url = server.run();
        server
    }

    /// The URL to connect to it, without a database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&self) {
        self.script(&["kill"], &[]);
    }

    /// Starts it again with its data, at the same address.
    pub(crate) fn restart(&self) {
        assert_eq!(self.run(), self.url, "its port was taken");
    }

    fn run(&self) -> String {
        let output = self.script(&["start", "mariadb"], &self.arguments);
        output.lines().last().unwrap_or_default().to_owned()
    }

    fn script(&self, action: &[&str], arguments: &[&str]) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/local/server");
        let output = Command::new(script)
            .args(action)
            .arg(&self.directory)
            .args(arguments)
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{action:?}: {complaint}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
