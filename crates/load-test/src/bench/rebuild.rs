//! Rebuilds, each beside what it is compared with.

use std::error::Error;

use crate::args::Bench;
use crate::client::Client;
use crate::processes::Processes;
use crate::rebuild::Setting;
use crate::results::Results;
use crate::table;

pub(super) async fn run(arguments: &Bench, results: &mut Results) -> Result<(), Box<dyn Error>> {
    let system = &arguments.system;
    let processes = Processes::new(&system.watch);
    let query = Client::connect(&system.query, system.connections).await?;
    let log_url = arguments.log_url.as_deref();
    let setting = Setting {
        log_url: log_url.ok_or("--log-url is missing")?,
        events: arguments.log_events,
        circles: arguments.log_circles,
        spare_redis_url: &arguments.redis_url,
        projector: &system.projector,
        query: &query,
        processes: &processes,
        span: arguments.span(),
    };
    let circles = setting.circles().await?;
    for _ in 0..arguments.rounds {
        let rebuild = setting.measure(&circles).await?;
        println!("{}", table::rebuild(&rebuild));
        results.rebuilds.push(rebuild);
    }
    Ok(())
}
