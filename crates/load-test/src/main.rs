//! A load generator for Circles, and the ceilings of the machine that it runs on.
//!
//! It runs on one thread and speaks HTTP/2 by hand, since it shares the machine with
//! what it measures.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the command line"
)]

mod args;
mod bench;
mod ceilings;
mod circles;
mod client;
mod closed_loop;
mod echo_server;
mod endurance;
mod fill_log;
mod grpc;
mod h2load;
mod lag;
mod lists;
mod log_rows;
mod long_circle;
mod made_up_log;
mod measure;
mod open_loop;
mod overload;
mod pacer;
mod processes;
mod rebuild;
mod recorder;
mod redis_pipe;
mod results;
mod round_trips;
mod run;
mod summary;
mod table;
mod workload;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;
use tokio::runtime::{Builder, LocalOptions};

use crate::args::{Action, Arguments};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match act(arguments.action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load-test: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn act(action: Action) -> Result<(), Box<dyn Error>> {
    let runtime = || {
        Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
    };
    match action {
        Action::Run(arguments) => runtime()?.block_on(run::run(&arguments)),
        Action::Bench(arguments) => runtime()?.block_on(bench::run(&arguments)),
        Action::FillLog(arguments) => runtime()?.block_on(fill_log::run(&arguments)),
        Action::Summary(arguments) => summary::print(&arguments.results),
        // As the services, it has a runtime with all cores.
        Action::EchoServer(arguments) => Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(echo_server::serve(&arguments.listen)),
    }
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
