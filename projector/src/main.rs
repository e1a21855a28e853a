//! The executable: configuration, then the projector until it is told to stop.

use std::process::ExitCode;

use projector::config::{Config, LISTEN};
use projector::run;
use service_kit::program::Program;

/// Pages are made of many small values; see the command service.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROGRAM: Program = Program {
    name: "projector",
    version: env!("CARGO_PKG_VERSION"),
    about: "Tails the log in MySQL and keeps the read models in Redis.",
    subcommands: &[],
};

fn main() -> ExitCode {
    PROGRAM.main(|subcommand| match subcommand {
        "check" => PROGRAM.check(LISTEN),
        _ => PROGRAM.serve(Config::read, |config| config.listen, run),
    })
}
