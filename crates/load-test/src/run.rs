//! `load-test run`: one workload, as the user asks for it.

use std::error::Error;
use std::fs;
use std::rc::Rc;
use std::time::{Duration, Instant};

use circles_proto::circles::v1::{CircleOrder, GetCircleRequest};
use tokio::time::sleep;

use crate::args::{Kind, Run};
use crate::circles::Circles;
use crate::client::{Client, Failure};
use crate::grpc::{Rpc, frame};
use crate::lists::List;
use crate::measure::measure;
use crate::processes::Processes;
use crate::table;
use crate::workload::{Targets, Workload};

pub(crate) async fn run(arguments: &Run) -> Result<(), Box<dyn Error>> {
    let system = &arguments.system;
    let connect = async |wanted: bool, address: &str| {
        if !wanted {
            return Ok(None);
        }
        Client::connect(address, system.connections).await.map(Some)
    };
    let kind = arguments.workload;
    let targets = Targets {
        command: connect(kind != Kind::Echo, &system.command).await?,
        query: connect(kind.queries(), &system.query).await?,
        echo: connect(kind == Kind::Echo, &system.echo).await?,
    };
    let workload = prepare(arguments, &targets).await?;
    let processes = Processes::new(&system.watch);
    println!("{}", table::heading());
    let mut measurements = Vec::new();
    for _ in 0..arguments.rounds {
        for load in arguments.loads() {
            let span = arguments.span();
            let measurement = measure(&targets, &workload, load, span, &processes).await?;
            println!("{}", table::row(&measurement));
            measurements.push(measurement);
        }
    }
    if let Some(file) = &arguments.json {
        fs::write(file, serde_json::to_vec_pretty(&measurements)?)?;
    }
    Ok(())
}

async fn prepare(arguments: &Run, targets: &Targets) -> Result<Workload, Failure> {
    let circles = match &targets.command {
        Some(command) if arguments.workload.needs_circles() => {
            let circles = Circles::create(command, arguments.circles.get()).await?;
            println!("{} circles are ready", circles.len());
            circles
        }
        _ => Circles::none(),
    };
    if let Some(query) = &targets.query {
        wait_until_visible(query, &circles).await?;
    }
    let circles = Rc::new(circles);
    Ok(match arguments.workload {
        Kind::Create => Workload::Create,
        Kind::CreateKeyed => Workload::CreateKeyed,
        Kind::Update => Workload::Update(circles),
        Kind::Get => Workload::Get(circles),
        Kind::BatchGet => Workload::BatchGet(circles),
        Kind::List => Workload::List(List::first("list", CircleOrder::NameAsc)),
        Kind::Mix => Workload::Mix(circles, List::first("list", CircleOrder::NameAsc)),
        Kind::Echo => Workload::Echo,
    })
}

/// Until the read model has all of them.
pub(crate) async fn wait_until_visible(query: &Client, circles: &Circles) -> Result<(), Failure> {
    let request = GetCircleRequest {
        circle_id: circles.any(),
        min_sequence: Some(circles.sequence),
    };
    let mut caller = query.caller(0);
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        match caller.call(Rpc::GetCircle, frame(&request)).await {
            // The service waits for some seconds by itself, but not where it knows that it can't come so far.
            Err(Failure::Status {
                name: "UNAVAILABLE",
                ..
            }) => sleep(Duration::from_millis(100)).await,
            Err(failure) => return Err(failure),
            Ok(_) => return Ok(()),
        }
    }
    Err(Failure::Malformed("the read model does not keep up"))
}

/// A million circles are created faster than the read model takes them in.
const PATIENCE: Duration = Duration::from_secs(600);
