//! The executable: configuration, then the service until it is told to stop.

use std::process::ExitCode;

use command_service::config::{Config, LISTEN};
use command_service::{RunError, run};
use event_store::{MigrateError, migrate};
use service_kit::config::Secret;
use service_kit::program::Program;
use service_kit::{check, shutdown};
use tokio::net::TcpListener;

const PROGRAM: Program = Program {
    name: "command-service",
    version: env!("CARGO_PKG_VERSION"),
    about: "Turns commands about circles into events and appends them to the log in MySQL.",
    subcommands: &[("migrate", "create or update the tables, then exit")],
};

fn main() -> ExitCode {
    PROGRAM.main(|subcommand| match subcommand {
        "check" => PROGRAM.run(LISTEN, check::check),
        "migrate" => PROGRAM.run(Config::read_mysql_url, create_tables),
        _ => PROGRAM.run(Config::read, serve),
    })
}

async fn create_tables(url: Secret) -> Result<(), MigrateError> {
    migrate(url.expose()).await?;
    tracing::info!("the tables are up to date");
    Ok(())
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
