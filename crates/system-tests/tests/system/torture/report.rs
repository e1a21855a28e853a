//! What a run tells.

#![allow(
    clippy::print_stderr,
    reason = "whoever runs it for long wants to know what it did"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use system_tests::checks::CHECKS;
use system_tests::history::{History, Request};
use system_tests::log::Log;
use test_support::mysql::Engine;

use super::Plan;
use super::nemesis::Tally;

/// So many complaints are shown; the rest is in the file.
const SHOWN: usize = 10;

pub(super) fn begins(engine: Engine, Plan { seconds, seed }: Plan, folder: &Path) {
    let folder = folder.display();
    eprintln!("torture on {engine:?}: {seconds} s, seed {seed}; logs in {folder}");
}

pub(super) fn ended(history: &History, log: &Log, tally: &Tally, unanswered: u64) {
    let requests = &history.requests;
    let count = |is: fn(&Request) -> bool| requests.iter().filter(|one| is(one)).count();
    let acknowledged = count(|request| request.answers().next().is_some());
    let refused = count(Request::is_refused);
    let unknown = requests.len() - acknowledged - refused;
    let again: usize = requests.iter().map(|one| one.attempts.len() - 1).sum();
    eprintln!(
        "commands: {acknowledged} acknowledged, {refused} refused, {unknown} unknown; sent again \
         {again} times; {} events",
        log.events.len()
    );
    let sessions = history.watches.iter().map(|watch| watch.sessions.len());
    let told = history.watches.iter().flat_map(|watch| &watch.sessions);
    eprintln!(
        "queries: {} answered, {unanswered} not; watches: {} calls told of {} things",
        history.reads.len(),
        sessions.sum::<usize>(),
        told.map(|session| session.told.len()).sum::<usize>()
    );
    let count = |what: &AtomicU64| what.load(Ordering::Relaxed);
    eprintln!(
        "nemesis: {} kills, {} terminations, {} stops, {} cuts, {} stalls, {} losses, \
         {} delays",
        count(&tally.kills),
        count(&tally.terminations),
        count(&tally.stops),
        count(&tally.cuts),
        count(&tally.stalls),
        count(&tally.losses),
        count(&tally.delays)
    );
}

/// Fails where there are complaints, and keeps what is needed to understand them.
pub(super) fn judged(
    complaints: &[(&'static str, String)],
    history: &History,
    log: &Log,
    engine: Engine,
    Plan { seconds, seed }: Plan,
    folder: &Path,
) {
    if complaints.is_empty() {
        eprintln!("passed: the read models are what the log comes to");
        for (name, _) in CHECKS {
            eprintln!("passed: {name}");
        }
        return;
    }
    let mut all = String::new();
    for (name, says) in complaints {
        let _ = writeln!(all, "{name}: {says}");
    }
    for (name, text) in [
        ("complaints.txt", all.clone()),
        ("history.txt", format!("{history:#?}")),
        ("log.txt", format!("{:#?}", log.events)),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let first: Vec<&str> = all.lines().take(SHOWN).collect();
    panic!(
        "{} complaints, in {} with the history, the log, and what the processes logged:\n{}\n\
         run it again: make torture SECONDS={seconds} SEED={seed} (this was {engine:?})",
        complaints.len(),
        folder.display(),
        first.join("\n")
    );
}
