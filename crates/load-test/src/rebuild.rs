//! A rebuild of all read models while queries are answered, beside what reading the log and writing to Redis take
//! by themselves.

mod call;

use std::error::Error;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::ceilings::{self, Ceiling};
use crate::circles::Circles;
use crate::client::Client;
use crate::made_up_log::MadeUpLog;
use crate::measure::{Load, Measurement, Span, measure};
use crate::open_loop;
use crate::processes::Processes;
use crate::rebuild::call::{Course, rebuild};
use crate::recorder::Record;
use crate::run::wait_until_visible;
use crate::workload::{Targets, Workload};

/// GetCircle calls a second: few, since it is their latency that matters.
const QUERIES: u32 = 500;

/// The process whose memory is watched.
const PROJECTOR: &str = "projector";

/// One rebuild with what it is compared with, measured right before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rebuild {
    pub(crate) events: u64,
    pub(crate) circles: u64,
    /// The log read by itself.
    pub(crate) reading: Ceiling,
    /// Redis written by itself.
    pub(crate) writing: Ceiling,
    /// GetCircle while nothing else happens.
    pub(crate) quiet: Measurement,
    pub(crate) course: Course,
    /// GetCircle during the rebuild.
    pub(crate) meanwhile: Record,
    /// The most that the projector held since it was started, in MiB.
    pub(crate) peak: f64,
}

/// What takes part.
pub(crate) struct Setting<'a> {
    /// The log that `fill-log` has written, with so many events of so many circles.
    pub(crate) log_url: &'a str,
    pub(crate) events: u64,
    pub(crate) circles: u64,
    /// An empty logical database of Redis.
    pub(crate) spare_redis_url: &'a str,
    /// Address of the projector.
    pub(crate) projector: &'a str,
    pub(crate) query: &'a Client,
    pub(crate) processes: &'a Processes,
    pub(crate) span: Span,
}

impl Setting<'_> {
    /// The circles of the log, once they are all visible.
    pub(crate) async fn circles(&self) -> Result<Rc<Circles>, Box<dyn Error>> {
        let mut log = MadeUpLog::new(self.events, self.circles);
        log.by_ref().for_each(drop);
        let ids = log.circles().iter().map(|circle| circle.id.to_string());
        let circles = Circles::known(ids, i64::try_from(self.events)?);
        wait_until_visible(self.query, &circles).await?;
        Ok(Rc::new(circles))
    }

    /// Measures everything once.
    pub(crate) async fn measure(&self, circles: &Rc<Circles>) -> Result<Rebuild, Box<dyn Error>> {
        let (events, processes) = (self.events, self.processes);
        let reading = ceilings::log_pages(self.log_url, events, processes).await?;
        let writing =
            ceilings::read_models(self.spare_redis_url, events, self.circles, processes).await?;
        let targets = Targets {
            command: None,
            query: Some(self.query.clone()),
            echo: None,
        };
        let get = Workload::Get(Rc::clone(circles));
        let load = Load::PerSecond(QUERIES);
        // About as long as the rebuild that follows.
        let quiet = Span {
            measured: self.span.measured * 2,
            ..self.span
        };
        let quiet = measure(&targets, &get, load, quiet, processes).await?;
        let rebuilding = rebuild(self.projector);
        let (meanwhile, course) = open_loop::run_during(&targets, &get, QUERIES, rebuilding).await;
        let memory = processes.memory()?;
        let memory = memory.get(PROJECTOR);
        Ok(Rebuild {
            events,
            circles: self.circles,
            reading,
            writing,
            quiet,
            course: course?,
            meanwhile,
            peak: memory
                .ok_or_else(|| format!("--watch {PROJECTOR}=PID is missing"))?
                .peak,
        })
    }
}

impl Rebuild {
    /// Events a second while the log is applied.
    pub(crate) fn building_rate(&self) -> f64 {
        self.events as f64 / self.course.building
    }

    /// Events a second from the call to its end.
    pub(crate) fn whole_rate(&self) -> f64 {
        self.events as f64 / self.course.seconds
    }

    /// What it can't be faster than: the slower of both.
    pub(crate) fn ceiling(&self) -> f64 {
        self.reading.per_second.min(self.writing.per_second)
    }
}
