//! Signals to processes, and whether they have arrived.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long the system may take to stop a process.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends a signal, as `TERM`.
///
/// # Panics
///
/// Where there is no such process.
pub(crate) fn send(signal: &str, process: u32) {
    let sent = Command::new("kill")
        .args(["-s", signal, &process.to_string()])
        .status();
    assert!(
        sent.is_ok_and(|status| status.success()),
        "SIG{signal} can be sent to process {process}"
    );
}

/// Stops a process where it is, and waits until all its threads stand.
pub(crate) fn pause(process: u32) {
    send("STOP", process);
    let deadline = Instant::now() + PATIENCE;
    while !stands(process) {
        assert!(Instant::now() < deadline, "process {process} does not stop");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Lets it go on.
pub(crate) fn resume(process: u32) {
    send("CONT", process);
}

fn stands(process: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("a paused process is there");
    threads.map_while(Result::ok).all(|thread| {
        // A thread that has ended meanwhile stands too.
        fs::read_to_string(thread.path().join("status"))
            .map_or(true, |status| status.contains("\nState:\tT"))
    })
}
