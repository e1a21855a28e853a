//! Everything is killed, stopped and cut off in random order, while clients work and write down
//! what they are told. In the end that is held against the log, and the read models too.
//!
//! `make torture SECONDS=60 SEED=7` runs it for long; a short one is part of every test run. The
//! seed decides what clients and nemesis choose, not how the threads interleave.

mod client;
mod commands;
mod imports;
mod journal;
mod nemesis;
mod queries;
mod recorder;
mod report;
mod timed;
mod watcher;
pub(crate) mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use system_tests::checks;
use system_tests::history::Watch;
use system_tests::log::Log;
use test_support::judge::{self, Options};
use test_support::mysql::Engine;
use test_support::on_every_engine;
use tokio::sync::watch;
use tokio::task::JoinSet;

use client::Client;
use journal::Journal;
use nemesis::Nemesis;
use recorder::Recorder;
use watcher::{Subject, Watcher};
use world::World;

use crate::support::PATIENCE;

on_every_engine!(nothing_that_was_promised_is_broken);

/// How many clients send commands and queries.
const CLIENTS: usize = 24;

/// As long as it takes within all tests, and the seed then.
const SHORT: (u64, u64) = (15, 1);

/// How long it runs, and what decides every choice.
#[derive(Clone, Copy, Debug)]
struct Plan {
    seconds: u64,
    seed: u64,
}

impl Plan {
    /// From `CIRCLES_TORTURE_SECONDS` and `CIRCLES_TORTURE_SEED`. Where only the seconds are
    /// given, any seed.
    fn from_environment() -> Self {
        let number = |name: &str| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            value.map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
        };
        let seconds = number("CIRCLES_TORTURE_SECONDS");
        let seed = number("CIRCLES_TORTURE_SEED");
        Self {
            seconds: seconds.unwrap_or(SHORT.0),
            seed: match (seed, seconds) {
                (Some(seed), _) => seed,
                (None, Some(_)) => fastrand::u64(0..1_000_000),
                (None, None) => SHORT.1,
            },
        }
    }
}

async fn nothing_that_was_promised_is_broken(engine: Engine) {
    let plan = Plan::from_environment();
    let folder = folder(engine, plan);
    report::begins(engine, plan, &folder);
    let mut rng = Rng::with_seed(plan.seed);
    let world = Arc::new(World::start(engine, &folder).await);
    let recorder = Arc::new(Recorder::default());

    let stop = Arc::new(AtomicBool::new(false));
    let clients = clients(&world, &recorder, &mut rng);
    let clients = start(clients, &stop).await;
    let (tell_end, end) = watch::channel(None);
    let watchers = start_watchers(&world, &recorder, &end, &mut rng);
    let nemesis = Nemesis::start(&world, Journal::create(&folder, &recorder), &mut rng);

    tokio::time::sleep(Duration::from_secs(plan.seconds)).await;
    let healer = Arc::clone(&world);
    let tally = tokio::task::spawn_blocking(move || nemesis.stop(&healer));
    let tally = tally.await.unwrap();
    stop.store(true, Ordering::Relaxed);
    clients.join_all().await;

    judge::assert_becomes_consistent(
        &world.log,
        &world.read_models,
        &Options::default(),
        PATIENCE,
    )
    .await;
    let rows = judge::read_log(&world.log).await;
    let log = Log::of(rows).unwrap();
    tell_end.send_replace(Some(log.head()));
    let watches = watchers.join_all().await;

    let mut history = recorder.take();
    history.watches = watches.into_iter().flatten().collect();
    report::ended(&history, &log, &tally, recorder.unanswered());
    let complaints = checks::complaints(&history, &log);
    report::judged(&complaints, &history, &log, engine, plan, &folder);
    assert!(
        log.head() > 0 && !history.reads.is_empty(),
        "nothing happened"
    );
}

/// Where this run's logs go.
fn folder(engine: Engine, plan: Plan) -> PathBuf {
    let name = format!("torture/{engine:?}-{}", plan.seed).to_lowercase();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn clients(world: &World, recorder: &Arc<Recorder>, rng: &mut Rng) -> Vec<Client> {
    let client = |n| Client {
        rng: Rng::with_seed(rng.u64(..)),
        // The others leave what is unknown unknown.
        persistent: n % 4 != 0,
        ways: world.ways(),
        recorder: Arc::clone(recorder),
        own: 0,
    };
    (0..CLIENTS).map(client).collect()
}

/// Lets them work, once one of them has been served.
async fn start(mut clients: Vec<Client>, stop: &Arc<AtomicBool>) -> JoinSet<()> {
    let first = clients.first_mut().expect("there are clients");
    let begun = tokio::time::timeout(PATIENCE, first.begin()).await;
    begun.expect("the system starts");
    let clients = clients.into_iter();
    clients.map(|client| client.run(Arc::clone(stop))).collect()
}

fn start_watchers(
    world: &World,
    recorder: &Arc<Recorder>,
    end: &watch::Receiver<Option<u64>>,
    rng: &mut Rng,
) -> JoinSet<Vec<Watch>> {
    let watcher = |subject| Watcher {
        rng: Rng::with_seed(rng.u64(..)),
        subject,
        ways: world.ways(),
        recorder: Arc::clone(recorder),
        end: end.clone(),
    };
    let subjects = [Subject::All, Subject::News, Subject::Some];
    subjects
        .map(watcher)
        .into_iter()
        .map(Watcher::run)
        .collect()
}
