//! What the three services together are measured by.

use std::error::Error;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use circles_proto::circles::v1::CircleOrder;

use super::{CROWD, get};
use crate::args::{Bench, Part};
use crate::circles::Circles;
use crate::client::Client;
use crate::lists::{self, List};
use crate::measure::{Load, Measurement, Span, measure};
use crate::processes::Processes;
use crate::results::{Results, median, rounds};
use crate::run::wait_until_visible;
use crate::workload::{Targets, Workload};
use crate::{ceilings, lag, round_trips, table};

/// Circles, where there is no list to measure.
const SOME: usize = 100_000;

pub(super) async fn run(arguments: &Bench, results: &mut Results) -> Result<(), Box<dyn Error>> {
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
    let echo = Client::connect(&system.echo, system.connections).await?;
    let mut count = arguments.circles.get();
    if !arguments.has(Part::List) {
        count = count.min(SOME);
    }
    let circles = Circles::create(&command, count).await?;
    wait_until_visible(&query, &circles).await?;
    let circles = Rc::new(circles);
    results.circles = circles.len();
    let bench = Whole {
        targets: Targets {
            command: Some(command),
            query: Some(query.clone()),
            echo: Some(echo.clone()),
        },
        processes,
        span,
    };
    if arguments.has(Part::Get) {
        get::run(
            arguments,
            (&query, &echo),
            &circles,
            &bench.processes,
            results,
        )
        .await?;
        println!("{}", table::heading());
        for _ in 0..arguments.rounds {
            for workload in [Workload::Echo, Workload::Get(Rc::clone(&circles))] {
                results.system.push(bench.closed(&workload, 64).await?);
            }
        }
    }
    if arguments.has(Part::List) {
        bench.lists(arguments, &circles, results).await?;
    }
    if arguments.has(Part::Mix) || arguments.has(Part::Lag) {
        println!("{}", table::heading());
    }
    if arguments.has(Part::Mix) {
        let list = List::first("list", CircleOrder::NameAsc);
        let mix = Workload::Mix(circles, list);
        results.system.push(bench.closed(&mix, 64).await?);
    }
    if arguments.has(Part::Lag) {
        bench.lag(arguments, results).await?;
    }
    Ok(())
}

struct Whole {
    targets: Targets,
    processes: Processes,
    span: Span,
}

impl Whole {
    /// Every kind of list, and a hundred circles at once.
    async fn lists(
        &self,
        arguments: &Bench,
        circles: &Rc<Circles>,
        results: &mut Results,
    ) -> Result<(), Box<dyn Error>> {
        let Some(query) = &self.targets.query else {
            return Ok(());
        };
        let mut all = lists::first_pages();
        all.extend(lists::deep_pages(query, circles.len()).await?);
        all.extend(lists::filtered(query).await?);
        let batch_get = Workload::BatchGet(Rc::clone(circles));
        let redis = &arguments.redis_url;
        results.round_trips = Some(round_trips::count(&self.targets, &batch_get, redis).await?);
        println!("{}", table::heading());
        // They are many, and some thousand calls of each tell enough.
        let short = Span {
            warm_up: Duration::from_millis(300),
            measured: self.span.measured.mul_f64(0.3),
        };
        for _ in 0..arguments.rounds {
            for list in &all {
                let list = Workload::List(list.clone());
                let found = self.within(short, &list, 16).await?;
                results.system.push(found);
            }
            results.system.push(self.closed(&batch_get, 16).await?);
        }
        Ok(())
    }

    /// At half of the highest rate of commands that the whole system reaches; and at half of that of the command
    /// side alone, where this was measured.
    async fn lag(&self, arguments: &Bench, results: &mut Results) -> Result<(), Box<dyn Error>> {
        let found = &mut results.system;
        for _ in 0..arguments.rounds {
            found.push(self.closed(&Workload::Create, CROWD).await?);
            self.settle().await?;
        }
        let crowd = |load| load == Load::InFlight(CROWD);
        let with_all = median_rate(&rounds(found, "create", crowd));
        let alone = median_rate(&rounds(&results.commands, "create", crowd));
        for (name, peak) in [(lag::OF_ALL, with_all), (lag::OF_COMMANDS, alone)] {
            let Some(peak) = peak else {
                continue;
            };
            let half = (peak / 2.0) as u32;
            let create = Workload::Create;
            for _ in 0..arguments.rounds {
                let [commands, lag] = lag::measure(
                    name,
                    &self.targets,
                    &create,
                    half,
                    self.span,
                    &self.processes,
                )
                .await?;
                println!("{}\n{}", table::row(&commands), table::row(&lag));
                found.extend([commands, lag]);
                self.settle().await?;
            }
        }
        Ok(())
    }

    async fn closed(&self, workload: &Workload, in_flight: usize) -> io::Result<Measurement> {
        self.within(self.span, workload, in_flight).await
    }

    async fn within(
        &self,
        span: Span,
        workload: &Workload,
        in_flight: usize,
    ) -> io::Result<Measurement> {
        let load = Load::InFlight(in_flight);
        let measurement = measure(&self.targets, workload, load, span, &self.processes).await?;
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

fn median_rate(measurements: &[&Measurement]) -> Option<f64> {
    median(
        measurements
            .iter()
            .map(|one| one.record.per_second())
            .collect(),
    )
}
