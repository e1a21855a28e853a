//! `load-test run`: one workload, as the user asks for it.

use std::error::Error;
use std::fs;
use std::rc::Rc;

use circles_proto::circles::v1::{CircleOrder, GetCircleRequest};

use crate::args::{Kind, Run};
use crate::circles::Circles;
use crate::client::{Client, Failure};
use crate::grpc::{Rpc, frame};
use crate::measure::measure;
use crate::processes::Processes;
use crate::table;
use crate::workload::{Targets, Workload, list};

pub(crate) async fn run(arguments: &Run) -> Result<(), Box<dyn Error>> {
    let system = &arguments.system;
    let needs_query = !matches!(arguments.workload, Kind::Create | Kind::Update);
    let command = Client::connect(&system.command, system.connections).await?;
    let query = if needs_query {
        Some(Client::connect(&system.query, system.connections).await?)
    } else {
        None
    };
    let workload = prepare(arguments, &command, query.as_ref()).await?;
    let targets = Targets {
        command: Some(command),
        query,
        echo: None,
    };
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

async fn prepare(
    arguments: &Run,
    command: &Client,
    query: Option<&Client>,
) -> Result<Workload, Failure> {
    if arguments.workload == Kind::Create {
        return Ok(Workload::Create);
    }
    let circles = Rc::new(Circles::create(command, arguments.circles).await?);
    println!("{} circles are ready", circles.len());
    if let Some(query) = query {
        wait_until_visible(query, &circles).await?;
    }
    Ok(match arguments.workload {
        Kind::Create => Workload::Create,
        Kind::Update => Workload::Update(circles),
        Kind::Get => Workload::Get(circles),
        Kind::BatchGet => Workload::BatchGet(circles),
        Kind::List => Workload::List("list", list(CircleOrder::NameAsc, None)),
        Kind::Mix => Workload::Mix(circles),
    })
}

/// Until the read model has all of them.
pub(crate) async fn wait_until_visible(query: &Client, circles: &Circles) -> Result<(), Failure> {
    let request = GetCircleRequest {
        circle_id: circles.any(),
        min_sequence: Some(circles.sequence),
    };
    let mut caller = query.caller(0);
    for _ in 0..ATTEMPTS {
        match caller.call(Rpc::GetCircle, frame(&request)).await {
            // It waits for some seconds by itself.
            Err(Failure::Status {
                name: "UNAVAILABLE",
                ..
            }) => {}
            Err(failure) => return Err(failure),
            Ok(_) => return Ok(()),
        }
    }
    Err(Failure::Malformed("the read model does not keep up"))
}

const ATTEMPTS: usize = 100;
