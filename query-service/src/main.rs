//! The executable: configuration, then the service until it is told to stop.

use std::process::ExitCode;

use query_service::config::{Config, LISTEN};
use query_service::run;
use service_kit::program::Program;

/// Answers are made of many small values; see the command service.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROGRAM: Program = Program {
    name: "query-service",
    version: env!("CARGO_PKG_VERSION"),
    about: "Answers queries about circles from the read models in Redis.",
    subcommands: &[],
};

fn main() -> ExitCode {
    PROGRAM.main(|subcommand| match subcommand {
        "check" => PROGRAM.check(LISTEN),
        _ => PROGRAM.serve(Config::read, |config| config.listen, run),
    })
}
