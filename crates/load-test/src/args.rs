//! The command line.

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
    #[arg(long, default_value_t = 10_000)]
    pub(crate) circles: usize,

    #[command(flatten)]
    pub(crate) system: System,

    /// Write the measurements to this file, as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
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
