//! GetCircle and the empty call by h2load, in turn.

use std::error::Error;

use crate::args::Bench;
use crate::circles::Circles;
use crate::client::Client;
use crate::h2load::H2load;
use crate::processes::Processes;
use crate::results::Results;
use crate::table;
use crate::workload::{Workload, get};

/// h2load repeats one request: one circle, read again and again.
pub(super) async fn run(
    arguments: &Bench,
    (query, echo): (&Client, &Client),
    circles: &Circles,
    processes: &Processes,
    results: &mut Results,
) -> Result<(), Box<dyn Error>> {
    let Some(program) = &arguments.h2load else {
        return Ok(());
    };
    let load =
        |address, client, call| H2load::new(program, &arguments.folder, (address, client), call);
    let system = &arguments.system;
    let calls = [
        ("echo", load(&system.echo, echo, Workload::Echo.next())?),
        ("get", load(&system.query, query, get(circles))?),
    ];
    println!("{}", table::h2load_heading());
    for _ in 0..arguments.h2load_rounds {
        for (name, h2load) in &calls {
            let time = arguments.span().measured;
            let round = h2load.round(name, time, processes).await?;
            println!("{}", table::h2load_row(&round));
            results.h2load.push(round);
        }
    }
    Ok(())
}
