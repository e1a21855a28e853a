//! The services as processes of their own, to be killed.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::{secrets, signal};

/// How long a process may take to listen, or to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running service. Killed when dropped.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    /// Reads the log, to its end.
    reader: Option<JoinHandle<()>>,
}

impl Service {
    /// Starts an executable of this workspace, and waits until it listens. Its log is kept, and
    /// goes to this process's stderr.
    ///
    /// # Panics
    ///
    /// Where it is not built, or does not come to listen.
    #[must_use]
    pub fn start(name: &'static str, settings: &[(&str, &str)]) -> Self {
        Self::run(name, command(name, settings), None)
    }

    /// The same, but its log goes to the end of a file, for one that is started a thousand times.
    ///
    /// # Panics
    ///
    /// As [`Self::start`], and where the file can't be opened.
    #[must_use]
    pub fn start_logging_to(file: &Path, name: &'static str, settings: &[(&str, &str)]) -> Self {
        let file = File::options().create(true).append(true).open(file);
        let file = file.expect("the file for a log can be opened");
        Self::run(name, command(name, settings), Some(file))
    }

    fn run(name: &'static str, mut command: Command, mut file: Option<File>) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{}: {error}: run the tests with `make test`",
                    command.get_program().display()
                )
            });
        let stderr = child.stderr.take().expect("stderr is piped");
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        let (tell, told) = mpsc::channel();
        let reader = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                match &mut file {
                    // A full disk is no reason to stop reading.
                    Some(file) => drop(writeln!(file, "{line}")),
                    None => eprintln!("{name} | {line}"),
                }
                let address = line
                    .split_once(" listens address=")
                    .and_then(|(_, address)| address.trim().parse().ok());
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
                if let Some(address) = address {
                    // Only the first one is waited for.
                    let _ = tell.send(address);
                }
            }
        });
        match told.recv_timeout(PATIENCE) {
            Ok(address) => Self {
                name,
                child,
                address,
                log,
                reader: Some(reader),
            },
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

    /// Where its metrics are, for one that was started with `CIRCLES_METRICS_LISTEN`.
    ///
    /// # Panics
    ///
    /// Where it serves none.
    pub async fn metrics(&self) -> SocketAddr {
        const SAYS: &str = "metrics are served address=";
        self.logs(SAYS).await;
        let lines = self.log_lines();
        let mut addresses = lines.iter().filter_map(|line| line.split_once(SAYS));
        let (_, address) = addresses.next().expect("it was logged");
        address.trim().parse().unwrap()
    }

    /// How much memory it takes at present, in bytes.
    ///
    /// # Panics
    ///
    /// Where it has ended.
    #[must_use]
    pub fn memory(&self) -> usize {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let mut resident = status
            .lines()
            .filter_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = resident
            .next()
            .and_then(|it| it.trim().split(' ').next()?.parse().ok());
        kilobytes.map_or(0, |it: usize| it << 10)
    }

    /// The lines that it has logged so far.
    #[must_use]
    pub fn log_lines(&self) -> Vec<String> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether a line of its log so far contains a text.
    #[must_use]
    pub fn log_contains(&self, text: &str) -> bool {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .any(|line| line.contains(text))
    }

    /// Waits until a line of its log contains a text.
    ///
    /// # Panics
    ///
    /// Where it takes too long.
    pub async fn logs(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log_contains(text) {
            assert!(
                Instant::now() < deadline,
                "{} does not log {text:?}",
                self.name
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops it where it is, as a long pause of its machine would, until [`Self::resume`]. Only
    /// [`Self::kill`] ends it meanwhile.
    ///
    /// # Panics
    ///
    /// Where it has ended.
    pub fn pause(&self) {
        signal::pause(self.child.id());
    }

    /// Lets a paused service go on.
    ///
    /// # Panics
    ///
    /// Where it has ended.
    pub fn resume(&self) {
        signal::resume(self.child.id());
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Panics
    ///
    /// Where the system refuses.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
        self.read_to_end();
    }

    /// Reads what a process that has ended had still to say.
    fn read_to_end(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }

    /// How it has ended, if it has.
    ///
    /// # Panics
    ///
    /// Where the system refuses to tell.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    ///
    /// Where it takes too long.
    pub fn terminate(&mut self) -> ExitStatus {
        signal::send("TERM", self.child.id());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.ended() {
                self.read_to_end();
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end after SIGTERM");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// # Panics
///
/// Where its log told a secret.
impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.read_to_end();
        if !thread::panicking() {
            let lines = self.log_lines();
            let telling = lines.iter().find(|line| secrets::told_by(line).is_some());
            assert_eq!(telling, None, "{} logs a secret", self.name);
        }
    }
}

fn command(name: &str, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(executable(name));
    command
        .env_clear()
        .env("CIRCLES_LOG_FORMAT", "text")
        .envs(settings.iter().copied());
    command
}

/// Where an executable of this workspace is, if it is built: two folders above the tests'.
///
/// # Panics
///
/// Where the system does not tell a program its place.
#[must_use]
pub fn executable(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().expect("a test knows where it is");
    path.pop();
    path.pop();
    path.join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts in its log, as fast as every hundredth second.
    const COUNTER: &str = "echo 'x listens address=127.0.0.1:1' >&2; \
        while :; do n=$((n + 1)); echo \"count $n.\" >&2; sleep 0.01; done";

    #[tokio::test]
    async fn a_paused_service_logs_nothing_until_it_goes_on() {
        let mut command = Command::new("sh");
        command.args(["-c", COUNTER]);
        let mut service = Service::run("counter", command, None);
        assert_eq!(service.address().port(), 1);
        service.logs("count 3.").await;
        assert!(!service.log_contains("uncounted"));

        service.pause();
        // What it wrote before may still be on its way here.
        let deadline = Instant::now() + PATIENCE;
        let mut lines = Vec::new();
        while lines != service.log_lines() {
            assert!(Instant::now() < deadline, "it goes on");
            lines = service.log_lines();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        service.resume();
        service.logs(&format!("count {}.", lines.len() + 3)).await;

        service.pause();
        service.kill();
    }
}
