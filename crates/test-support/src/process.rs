//! The services as processes of their own, to be killed.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a process may take to listen, or to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running service. Killed when dropped.
#[derive(Debug)]
pub struct Service {
    child: Child,
    address: SocketAddr,
}

impl Service {
    /// Starts an executable of this workspace, and waits until it listens. Its log goes to this
    /// process's stderr.
    ///
    /// # Panics
    ///
    /// Where it is not built, or does not come to listen.
    #[must_use]
    pub fn start(name: &'static str, settings: &[(&str, &str)]) -> Self {
        let executable = executable(name);
        let mut child = Command::new(&executable)
            .env_clear()
            .envs(settings.iter().copied())
            .env("CIRCLES_LOG_FORMAT", "text")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{}: {error}: run the tests with `make test`",
                    executable.display()
                )
            });
        let log = child.stderr.take().expect("stderr is piped");
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                eprintln!("{name} | {line}");
                let address = line
                    .split_once(" listens address=")
                    .map(|(_, address)| address);
                if let Some(address) = address.and_then(|address| address.trim().parse().ok()) {
                    // Only the first one is waited for.
                    let _ = tell.send(address);
                }
            }
        });
        match told.recv_timeout(PATIENCE) {
            Ok(address) => Self { child, address },
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{name} does not listen: {error}")
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Panics
    ///
    /// Where the system refuses.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    ///
    /// Where it takes too long.
    pub fn terminate(&mut self) -> ExitStatus {
        let sent = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "SIGTERM can be sent"
        );
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end after SIGTERM");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Executables lie two folders above the tests'.
fn executable(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().expect("a test knows where it is");
    path.pop();
    path.pop();
    path.join(name)
}
