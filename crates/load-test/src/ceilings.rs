//! What the machine, the databases and the libraries can do at best: the services can't be faster.

mod fsync;
mod insert;
mod log_pages;
mod read_models;
mod redis;

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::processes::{CpuUse, Processes};
use crate::recorder::{Latency, histogram};

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ceiling {
    pub(crate) name: String,
    /// What is counted, in the plural.
    pub(crate) unit: String,
    /// How many of them go into one step.
    pub(crate) batch: usize,
    pub(crate) per_second: f64,
    /// Of a step.
    pub(crate) latency: Latency,
    /// What each process used, in microseconds for each of what is counted.
    pub(crate) cpu: BTreeMap<String, f64>,
}

/// Rows in one transaction.
const INSERT_BATCHES: [usize; 4] = [1, 64, 256, 1_024];

/// How fast a write reaches the disk that `folder` is on.
pub(crate) fn fsync(folder: &Path, time: Duration) -> io::Result<Ceiling> {
    let mut writer = fsync::Writer::new(folder)?;
    let processes = Processes::new(&[]);
    let mut meter = Meter::new(&processes)?;
    while meter.elapsed() < time {
        let started = Instant::now();
        writer.write()?;
        meter.add(started);
    }
    meter.ceiling("fsync", "writes", 1)
}

/// What the database calls itself.
pub(crate) async fn server_version(url: &str) -> Result<String, Box<dyn Error>> {
    event_store::migrate(url).await?;
    Ok(insert::server_version(url).await?)
}

/// How fast the database takes events when nothing is checked, for batches of several sizes.
///
/// The database of `url` is created where missing, and grows.
pub(crate) async fn insert(
    url: &str,
    time: Duration,
    processes: &Processes,
) -> Result<Vec<Ceiling>, Box<dyn Error>> {
    event_store::migrate(url).await?;
    let mut inserter = insert::Inserter::connect(url).await?;
    let mut ceilings = Vec::new();
    for batch in INSERT_BATCHES {
        // So that the statement is prepared and the tables are warm.
        inserter.insert(batch).await?;
        let mut meter = Meter::new(processes)?;
        while meter.elapsed() < time {
            let started = Instant::now();
            inserter.insert(batch).await?;
            meter.add(started);
        }
        ceilings.push(meter.ceiling("insert", "rows", batch)?);
    }
    inserter.close().await?;
    Ok(ceilings)
}

/// How fast Redis takes and gives small documents, many commands on their way at a time.
pub(crate) fn redis(
    url: &str,
    time: Duration,
    processes: &Processes,
) -> Result<Vec<Ceiling>, Box<dyn Error>> {
    let mut documents = redis::Documents::connect(url)?;
    let mut ceilings = Vec::new();
    for command in [redis::Command::Set, redis::Command::Get] {
        let mut meter = Meter::new(processes)?;
        while meter.elapsed() < time {
            let started = Instant::now();
            documents.run(command)?;
            meter.add(started);
        }
        ceilings.push(meter.ceiling(command.name(), "commands", redis::DEPTH)?);
    }
    documents.clean()?;
    Ok(ceilings)
}

/// How fast the whole log can be read, page by page, as the projector tails it.
pub(crate) async fn log_pages(
    url: &str,
    events: u64,
    processes: &Processes,
) -> Result<Ceiling, Box<dyn Error>> {
    let mut meter = Meter::new(processes)?;
    log_pages::read(url, events, &mut meter).await?;
    let page = log_pages::PAGE as usize;
    Ok(meter.total("log pages", "events", page, events)?)
}

/// How fast Redis takes the read models of so many events, counted in events.
pub(crate) async fn read_models(
    url: &str,
    events: u64,
    circles: u64,
    processes: &Processes,
) -> io::Result<Ceiling> {
    let mut writer = read_models::Writer::connect(url)?;
    let mut meter = Meter::new(processes)?;
    let started = Instant::now();
    // Not on this thread, which has to answer the pings of the services.
    let writing = spawn_blocking(move || writer.write(events, circles).map(|()| writer));
    let writer = writing.await.map_err(io::Error::other)??;
    meter.add(started);
    let depth = read_models::DEPTH;
    let ceiling = meter.total("read models", "events", depth, events)?;
    let cleaning = spawn_blocking(|| writer.clean());
    cleaning.await.map_err(io::Error::other)??;
    Ok(ceiling)
}

/// Counts steps that are taken one after the other.
struct Meter<'a> {
    started: Instant,
    steps: Histogram<u64>,
    processes: &'a Processes,
    before: crate::processes::Sample,
}

impl<'a> Meter<'a> {
    fn new(processes: &'a Processes) -> io::Result<Self> {
        Ok(Self {
            started: Instant::now(),
            steps: histogram(),
            processes,
            before: processes.sample()?,
        })
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn add(&mut self, started: Instant) {
        let nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.steps.saturating_record(nanoseconds);
    }

    /// Of steps that all were as large as `batch`.
    fn ceiling(self, name: &str, unit: &str, batch: usize) -> io::Result<Ceiling> {
        let total = self.steps.len() * batch as u64;
        self.total(name, unit, batch, total)
    }

    fn total(self, name: &str, unit: &str, batch: usize, total: u64) -> io::Result<Ceiling> {
        let seconds = self.elapsed().as_secs_f64();
        let total = total as f64;
        let cpu = self.processes.sample()?.since(&self.before);
        let each = |(name, cpu): (String, CpuUse)| (name, cpu.seconds() * 1e6 / total.max(1.0));
        Ok(Ceiling {
            name: name.to_owned(),
            unit: unit.to_owned(),
            batch,
            per_second: total / seconds,
            latency: Latency::new(&self.steps),
            cpu: cpu.into_iter().map(each).collect(),
        })
    }
}
