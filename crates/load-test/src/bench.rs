//! `load-test bench`: all measurements of one database, in a fixed order.

mod commands;
mod get;
mod rebuild;
mod system;

use std::error::Error;
use std::fs;
use std::io;

use crate::args::{Bench, Side};
use crate::ceilings;
use crate::results::{Machine, Results};

/// More calls in flight than any other measurement has.
const CROWD: usize = 1_024;

/// Measures one side and writes what came out, together with what the file holds of the others.
pub(crate) async fn run(arguments: &Bench) -> Result<(), Box<dyn Error>> {
    let mut results = match fs::read(&arguments.json) {
        Ok(earlier) => serde_json::from_slice(&earlier)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Results::default(),
        Err(error) => return Err(error.into()),
    };
    results.engine.clone_from(&arguments.engine);
    results.version = ceilings::server_version(&arguments.mysql_url).await?;
    results.machine = Machine::this();
    match arguments.side {
        Side::Commands => commands::run(arguments, &mut results).await?,
        Side::System => system::run(arguments, &mut results).await?,
        Side::Rebuild => rebuild::run(arguments, &mut results).await?,
    }
    fs::write(&arguments.json, serde_json::to_vec_pretty(&results)?)?;
    Ok(())
}
