//! What the command side is measured by.

use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use super::CROWD;
use crate::args::{Bench, Part};
use crate::circles::Circles;
use crate::client::Client;
use crate::measure::{Load, Span, measure};
use crate::processes::Processes;
use crate::results::Results;
use crate::workload::{Targets, Workload};
use crate::{ceilings, endurance, long_circle, overload, table};

/// Calls at a time, from one client alone to a crowd.
const IN_FLIGHT: [usize; 4] = [1, 64, 256, CROWD];
/// Circles that are updated.
const WARM: usize = 10_000;
/// The process whose memory is watched.
const COMMAND_SERVICE: &str = "command-service";

/// The command service with nothing else beside it than the database.
pub(super) async fn run(arguments: &Bench, results: &mut Results) -> Result<(), Box<dyn Error>> {
    let processes = Processes::new(&arguments.system.watch);
    let time = arguments.span().measured;
    if arguments.has(Part::Ceilings) {
        println!("{}", table::ceiling_heading());
        let mut found = vec![ceilings::fsync(&arguments.folder, time)?];
        found.extend(ceilings::insert(&arguments.mysql_url, time, &processes).await?);
        for ceiling in found {
            println!("{}", table::ceiling_row(&ceiling));
            results.ceilings.push(ceiling);
        }
    }

    let client = Client::connect(&arguments.system.command, arguments.system.connections).await?;
    let targets = Targets {
        command: Some(client.clone()),
        query: None,
        echo: None,
    };
    println!("{}", table::heading());
    let mut workloads = Vec::new();
    if arguments.has(Part::Create) {
        workloads.extend([Workload::Create, Workload::CreateKeyed]);
    }
    if arguments.has(Part::Update) {
        workloads.push(Workload::Update(Rc::new(
            Circles::create(&client, WARM).await?,
        )));
    }
    // What is compared is measured in turn: the machine may be faster at one time than at another.
    for _ in 0..arguments.rounds {
        for in_flight in IN_FLIGHT {
            for workload in &workloads {
                // One figure of it is enough.
                if matches!(workload, Workload::CreateKeyed) && in_flight != CROWD {
                    continue;
                }
                let load = Load::InFlight(in_flight);
                let measurement =
                    measure(&targets, workload, load, arguments.span(), &processes).await?;
                println!("{}", table::row(&measurement));
                results.commands.push(measurement);
            }
        }
    }
    if arguments.has(Part::Overload) {
        for _ in 0..arguments.rounds {
            let address = &arguments.system.command;
            let found =
                overload::run(&targets, address, CROWD, arguments.span(), &processes).await?;
            println!("{}\n{}", table::row(&found.peak), table::row(&found.over));
            results.overloads.push(found);
        }
    }
    if arguments.has(Part::Memory) {
        let span = Span {
            warm_up: Duration::ZERO,
            measured: Duration::from_secs(arguments.memory_seconds),
        };
        let endurance = endurance::run(&targets, CROWD, span, &processes, COMMAND_SERVICE).await?;
        println!("{}", table::row(&endurance.measurement));
        println!("{}", table::endurance(&endurance));
        results.endurance = Some(endurance);
    }
    if arguments.has(Part::Long) {
        let long = long_circle::measure(&targets, arguments.long_events, arguments.updates).await?;
        println!("{}", table::long_circle(&long));
        results.long_circle = Some(long);
    }
    Ok(())
}
