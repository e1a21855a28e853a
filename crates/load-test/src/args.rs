//! The command line.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::measure::{Load, Span};
use crate::processes::Watched;

/// Puts load on the services of Circles and measures what they make of it.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Apply one workload.
    Run(Run),
    /// Make all measurements with one database, in a fixed order. `make bench` does so.
    Bench(Bench),
    /// Write many events straight into an empty log.
    FillLog(FillLog),
    /// Compare the results of `bench` with what they must reach.
    Summary(Summary),
    /// Serve a call that does nothing.
    EchoServer(EchoServer),
}

/// One workload.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// What to call.
    pub(crate) workload: Kind,

    /// Closed loop: so many calls at any time. Several values, divided by commas, make several measurements.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "64",
        conflicts_with = "rate"
    )]
    pub(crate) in_flight: Vec<usize>,

    /// Open loop: so many calls a second.
    #[arg(long)]
    pub(crate) rate: Option<u32>,

    /// How long to measure, in seconds.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,

    /// How long to make calls before, in seconds.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) warm_up: f64,

    /// How often to measure each load, in turn.
    #[arg(long, default_value_t = 1)]
    pub(crate) rounds: usize,

    /// How many circles to create first and to work on.
    #[arg(long, default_value = "10000")]
    pub(crate) circles: NonZero<usize>,

    #[command(flatten)]
    pub(crate) system: System,

    /// Write the measurements to this file, as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
}

/// All measurements of one side.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// What to measure.
    pub(crate) side: Side,

    /// The name of the database program, for the report.
    #[arg(long)]
    pub(crate) engine: String,

    /// Where to write the results. What the file holds already is kept, so begin with none.
    #[arg(long)]
    pub(crate) json: PathBuf,

    /// How long each round takes, in seconds, after a second of warm-up.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,

    /// Rounds of what is compared.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,

    /// Only these parts, divided by commas.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<Part>,

    /// How long to watch the memory, in seconds.
    #[arg(long, default_value_t = 60)]
    pub(crate) memory_seconds: u64,

    /// How many events the long circle has.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) long_events: usize,

    /// How many updates of it, and of short circles, are compared.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) updates: usize,

    /// How many circles there are when lists are measured.
    #[arg(long, default_value = "1000000")]
    pub(crate) circles: NonZero<usize>,

    /// The program h2load, to measure GetCircle with it, too.
    #[arg(long)]
    pub(crate) h2load: Option<PathBuf>,

    /// Rounds of GetCircle by h2load.
    #[arg(long, default_value_t = 5)]
    pub(crate) h2load_rounds: usize,

    /// A database for the INSERT ceiling, not that of the services.
    #[arg(long)]
    pub(crate) mysql_url: String,

    /// The database of the services, to read its log; for `rebuild`.
    #[arg(long)]
    pub(crate) log_url: Option<String>,

    /// How many events `fill-log` has written there.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) log_events: u64,

    /// Of how many circles.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) log_circles: u64,

    /// A logical database of Redis for the ceilings, not that of the services and empty.
    #[arg(long, default_value = "redis://127.0.0.1:6379/200")]
    pub(crate) redis_url: String,

    /// A folder on the disk of the database, for the fsync ceiling, and for what h2load sends.
    #[arg(long, default_value = ".")]
    pub(crate) folder: PathBuf,

    #[command(flatten)]
    pub(crate) system: System,
}

/// What takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// The command service with the database.
    Commands,
    /// All three services, the database and Redis.
    System,
    /// The projector and the query service, with a log that is at rest.
    Rebuild,
}

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// What the machine, the database, Redis and tonic can do by themselves.
    Ceilings,
    /// CreateCircle, from one call at a time to 1,024.
    Create,
    /// UpdateCircle likewise.
    Update,
    /// Four times as many CreateCircle as the service can do.
    Overload,
    /// The memory of the command service.
    Memory,
    /// A circle with a long history.
    Long,
    /// GetCircle and an empty call in turn.
    Get,
    /// Lists, and reading a hundred circles at once.
    List,
    /// Commands and queries mixed.
    Mix,
    /// From the answer to a command until a query sees it.
    Lag,
}

impl Bench {
    pub(crate) fn has(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    pub(crate) fn span(&self) -> Span {
        Span {
            warm_up: Duration::from_secs(1),
            measured: Duration::from_secs_f64(self.seconds.max(0.1)),
        }
    }
}

/// A log to start from.
#[derive(Debug, Args)]
pub(crate) struct FillLog {
    /// The database that the services will use.
    #[arg(long)]
    pub(crate) mysql_url: String,

    /// How many events.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) events: u64,

    /// Of how many circles.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) circles: u64,
}

/// The report.
#[derive(Debug, Args)]
pub(crate) struct Summary {
    /// Files that `bench` wrote.
    #[arg(required = true)]
    pub(crate) results: Vec<PathBuf>,
}

/// A server to measure tonic by itself.
#[derive(Debug, Args)]
pub(crate) struct EchoServer {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:50055")]
    pub(crate) listen: String,
}

/// Where the services are, and which processes belong to them.
#[derive(Debug, Args)]
pub(crate) struct System {
    /// Address of the command service.
    #[arg(long, default_value = "127.0.0.1:50051")]
    pub(crate) command: String,

    /// Address of the query service.
    #[arg(long, default_value = "127.0.0.1:50052")]
    pub(crate) query: String,

    /// Address of `load-test echo-server`.
    #[arg(long, default_value = "127.0.0.1:50055")]
    pub(crate) echo: String,

    /// Address of the projector.
    #[arg(long, default_value = "127.0.0.1:50053")]
    pub(crate) projector: String,

    /// Connections to each service.
    #[arg(long, default_value_t = 4)]
    pub(crate) connections: usize,

    /// A process whose CPU time and memory are shown. Can be given several times.
    #[arg(long, value_name = "NAME=PID")]
    pub(crate) watch: Vec<Watched>,
}

/// The workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// CreateCircle.
    Create,
    /// CreateCircle with a request_id, a random UUID.
    CreateKeyed,
    /// UpdateCircle of circles that the service knows.
    Update,
    /// GetCircle.
    Get,
    /// BatchGetCircles of 100.
    BatchGet,
    /// ListCircles, the first 50 by name.
    List,
    /// 75 % GetCircle, 15 % UpdateCircle, 5 % ListCircles, 5 % CreateCircle.
    Mix,
    /// A call that does nothing, of `load-test echo-server`.
    Echo,
}

impl Kind {
    /// Whether it works on circles that have to be there.
    pub(crate) fn needs_circles(self) -> bool {
        !matches!(self, Self::Create | Self::CreateKeyed | Self::Echo)
    }

    /// Whether it asks the query service.
    pub(crate) fn queries(self) -> bool {
        matches!(self, Self::Get | Self::BatchGet | Self::List | Self::Mix)
    }
}

impl Run {
    pub(crate) fn loads(&self) -> Vec<Load> {
        match self.rate {
            Some(rate) => vec![Load::PerSecond(rate)],
            None => self.in_flight.iter().copied().map(Load::InFlight).collect(),
        }
    }

    pub(crate) fn span(&self) -> Span {
        Span {
            warm_up: Duration::from_secs_f64(self.warm_up.max(0.0)),
            measured: Duration::from_secs_f64(self.seconds.max(0.1)),
        }
    }
}
