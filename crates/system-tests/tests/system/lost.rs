//! Connections that are gone without a word, as where a machine lost its power or a firewall
//! forgot them: neither end is told.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::{CreateCircleRequest, GetCircleRequest};
use test_support::mysql::Engine;
use test_support::on_every_engine;
use test_support::proxy::{Direction, Fault};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::client::Load;
use crate::torture::world::World;

on_every_engine!(
    a_command_service_that_is_gone_holds_up_nobody,
    what_lost_its_servers_finds_them_again,
);

/// How long it may take until all works again. What is lost counts as such after 10 s.
const SOON: Duration = Duration::from_secs(40);

/// How long a client waits for one answer.
const DEADLINE: Duration = Duration::from_secs(2);

async fn a_command_service_that_is_gone_holds_up_nobody(engine: Engine) {
    let world = start(engine, "gone").await;
    let [first, second] = <[_; 2]>::try_from(world.ways().commands).unwrap();
    create(&first).await;
    let load = Load::start_over(first.clone(), 8, |_| true);
    create(&second).await;
    // It goes on to write, but hears nothing; so it never ends a transaction that it begins, in
    // which it may hold what all others need.
    lose(&world, "command-service-0-mysql").await;
    create(&second).await;
    create(&first).await;
    load.stop().await;
}

async fn what_lost_its_servers_finds_them_again(engine: Engine) {
    let world = start(engine, "lost").await;
    let ways = world.ways();
    let [first, second] = <[_; 2]>::try_from(ways.commands).unwrap();
    create(&first).await;
    let load = Load::start_over(second.clone(), 4, |_| true);
    lose(&world, "").await;
    for commands in [first, second] {
        let (circle_id, sequence) = create(&commands).await;
        for queries in &ways.queries {
            let get = GetCircleRequest {
                circle_id: circle_id.clone(),
                min_sequence: Some(sequence),
            };
            soon(async || queries.clone().get_circle(within_deadline(&get)).await).await;
        }
    }
    load.stop().await;
}

async fn start(engine: Engine, name: &str) -> World {
    let name = format!("{name}-{engine:?}").to_lowercase();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    World::start(engine, &folder).await
}

/// Loses the connections to servers whose names begin like this: first what comes back, then
/// what goes there.
async fn lose(world: &World, name: &str) {
    let is_one = |link: &str| {
        link.starts_with(name) && (link.ends_with("-mysql") || link.ends_with("-redis"))
    };
    for direction in [Direction::ToClient, Direction::ToServer] {
        for link in world.links.iter().filter(|link| is_one(&link.name)) {
            link.proxy.spoil(direction, Fault::Lose);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.heal();
}

async fn create(client: &CircleCommandServiceClient<Channel>) -> (String, i64) {
    let create = CreateCircleRequest {
        name: "tea".to_owned(),
        capacity: 20,
        ..Default::default()
    };
    let created = soon(async || client.clone().create_circle(within_deadline(&create)).await).await;
    (created.circle_id, created.sequence)
}

fn within_deadline<T: Clone>(message: &T) -> Request<T> {
    let mut request = Request::new(message.clone());
    request.set_timeout(DEADLINE);
    request
}

/// Tries until it is answered.
async fn soon<T>(call: impl AsyncFn() -> Result<Response<T>, Status>) -> T {
    let begun = Instant::now();
    loop {
        match call().await {
            Ok(response) => return response.into_inner(),
            Err(status) => assert!(begun.elapsed() < SOON, "in vain: {status:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
