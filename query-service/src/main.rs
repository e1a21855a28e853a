//! The executable: configuration, then the service until it is told to stop.

use std::process::ExitCode;

use query_service::config::{Config, LISTEN};
use query_service::{RunError, run};
use service_kit::program::Program;
use service_kit::{check, shutdown};
use tokio::net::TcpListener;

const PROGRAM: Program = Program {
    name: "query-service",
    version: env!("CARGO_PKG_VERSION"),
    about: "Answers queries about circles from the read models in Redis.",
    subcommands: &[],
};

fn main() -> ExitCode {
    PROGRAM.main(|subcommand| match subcommand {
        "check" => PROGRAM.run(LISTEN, check::check),
        _ => PROGRAM.run(Config::read, serve),
    })
}

async fn serve(config: Config) -> Result<(), RunError> {
    let shutdown = shutdown::signal().map_err(RunError::Signal)?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| RunError::Bind {
            address: config.listen,
            source,
        })?;
    run(config, listener, shutdown).await
}
