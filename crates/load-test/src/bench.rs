//! `load-test bench`: all measurements of one database, in a fixed order.

use std::error::Error;
use std::fs;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use circles_proto::circles::v1::{CircleFilter, CircleOrder};

use crate::args::{Bench, Part, Side};
use crate::circles::Circles;
use crate::client::Client;
use crate::measure::{Load, Measurement, Span, measure};
use crate::processes::Processes;
use crate::results::{Machine, Results, median, rounds};
use crate::run::wait_until_visible;
use crate::workload::{Targets, Workload, list};
use crate::{ceilings, endurance, lag, long_circle, table};

/// Calls at a time, from one client alone to a crowd.
const IN_FLIGHT: [usize; 4] = [1, 64, 256, CROWD];
const CROWD: usize = 1_024;
/// Circles that are updated.
const WARM: usize = 10_000;
/// The process whose memory is watched.
const COMMAND_SERVICE: &str = "command-service";

/// Measures one side and writes what came out, together with what the file holds of the other side.
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
        Side::Commands => commands(arguments, &mut results).await?,
        Side::System => system(arguments, &mut results).await?,
    }
    fs::write(&arguments.json, serde_json::to_vec_pretty(&results)?)?;
    Ok(())
}

/// The command service with nothing else beside it than the database.
async fn commands(arguments: &Bench, results: &mut Results) -> Result<(), Box<dyn Error>> {
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

/// The three services together.
async fn system(arguments: &Bench, results: &mut Results) -> Result<(), Box<dyn Error>> {
    let system = &arguments.system;
    let processes = Processes::new(&system.watch);
    let span = arguments.span();
    if arguments.has(Part::Ceilings) {
        println!("{}", table::ceiling_heading());
        for ceiling in ceilings::redis(&arguments.redis_url, span.measured, &processes)? {
            println!("{}", table::ceiling_row(&ceiling));
            results.ceilings.push(ceiling);
        }
    }

    if ![Part::Get, Part::List, Part::Mix, Part::Lag]
        .iter()
        .any(|part| arguments.has(*part))
    {
        return Ok(());
    }
    let command = Client::connect(&system.command, system.connections).await?;
    let query = Client::connect(&system.query, system.connections).await?;
    let circles = Circles::create(&command, arguments.circles.get()).await?;
    wait_until_visible(&query, &circles).await?;
    let circles = Rc::new(circles);
    results.circles = circles.len();
    let bench = Whole {
        targets: Targets {
            command: Some(command),
            query: Some(query),
            echo: Some(Client::connect(&system.echo, system.connections).await?),
        },
        processes,
        span,
    };
    println!("{}", table::heading());
    let found = &mut results.system;

    for _ in 0..arguments.rounds {
        if arguments.has(Part::Get) {
            found.push(bench.closed(&Workload::Echo, 64).await?);
            found.push(
                bench
                    .closed(&Workload::Get(Rc::clone(&circles)), 64)
                    .await?,
            );
        }
        if arguments.has(Part::List) {
            for workload in lists() {
                found.push(bench.closed(&workload, 16).await?);
            }
            found.push(
                bench
                    .closed(&Workload::BatchGet(Rc::clone(&circles)), 16)
                    .await?,
            );
        }
    }
    if arguments.has(Part::Mix) {
        found.push(
            bench
                .closed(&Workload::Mix(Rc::clone(&circles)), 64)
                .await?,
        );
    }
    if arguments.has(Part::Lag) {
        for _ in 0..arguments.rounds {
            found.push(bench.closed(&Workload::Create, CROWD).await?);
            bench.settle().await?;
        }
        let crowd = |load| load == Load::InFlight(CROWD);
        let with_all = median_rate(&rounds(found, "create", crowd));
        let alone = median_rate(&rounds(&results.commands, "create", crowd));
        for peak in [with_all, alone].into_iter().flatten() {
            let half = (peak / 2.0) as u32;
            let [commands, lag] = lag::measure(
                &bench.targets,
                &Workload::Create,
                half,
                span,
                &bench.processes,
            )
            .await?;
            println!("{}\n{}", table::row(&commands), table::row(&lag));
            found.extend([commands, lag]);
            bench.settle().await?;
        }
    }
    Ok(())
}

fn median_rate(measurements: &[&Measurement]) -> Option<f64> {
    median(
        measurements
            .iter()
            .map(|one| one.record.per_second())
            .collect(),
    )
}

/// Every kind of list: each order, and filters that fit many circles and few.
fn lists() -> [Workload; 5] {
    let filter = |prefix: &str, max_capacity| CircleFilter {
        name_prefix: prefix.to_owned(),
        min_capacity: None,
        max_capacity,
    };
    [
        Workload::List("list-name", list(CircleOrder::NameAsc, None)),
        Workload::List("list-capacity", list(CircleOrder::CapacityDesc, None)),
        Workload::List("list-time", list(CircleOrder::CreateTimeDesc, None)),
        Workload::List(
            "list-prefix",
            list(CircleOrder::NameAsc, Some(filter("Chess 0", None))),
        ),
        Workload::List(
            "list-filters",
            list(CircleOrder::CapacityAsc, Some(filter("Chess", Some(20)))),
        ),
    ]
}

struct Whole {
    targets: Targets,
    processes: Processes,
    span: Span,
}

impl Whole {
    async fn closed(&self, workload: &Workload, in_flight: usize) -> io::Result<Measurement> {
        let load = Load::InFlight(in_flight);
        let measurement =
            measure(&self.targets, workload, load, self.span, &self.processes).await?;
        println!("{}", table::row(&measurement));
        Ok(measurement)
    }

    /// Waits until the read model has all that was written.
    async fn settle(&self) -> Result<(), Box<dyn Error>> {
        if let (Some(command), Some(query)) = (&self.targets.command, &self.targets.query) {
            let last = Circles::create(command, 1).await?;
            wait_until_visible(query, &last).await?;
        }
        Ok(())
    }
}
