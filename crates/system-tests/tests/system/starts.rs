//! Processes whose servers break off while they start.

use std::net::SocketAddr;
use std::time::Duration;

use test_support::mysql::Engine;
use test_support::on_every_engine;
use test_support::process::Service;
use test_support::proxy::{Direction, Fault, Proxy};
use test_support::server::address_in;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::client::create;
use crate::support::{ANY_PORT, PATIENCE, Places, System, channel, start_command, start_projector};

on_every_engine!(
    a_command_service_waits_for_a_mysql_that_breaks_off,
    a_projector_waits_for_a_redis_that_breaks_off,
);

/// How long the servers answer with nothing more.
const AWAY: Duration = Duration::from_millis(500);

/// Lets so many bytes pass, and breaks off, in one way or the other.
fn breaking(server: SocketAddr, after: u64) -> Proxy {
    let proxy = Proxy::start(server);
    let fault = if after.is_multiple_of(20) {
        Fault::Cut { after }
    } else {
        Fault::Close { after }
    };
    proxy.spoil(Direction::ToClient, fault);
    proxy
}

/// Waits until it serves; fails where it has ended.
async fn serves(service: &mut Service, after: u64) {
    let mut health = HealthClient::new(channel(service));
    let serves = async {
        loop {
            let status = service.ended();
            assert!(status.is_none(), "after {after} bytes it ended: {status:?}");
            let answer = health.check(HealthCheckRequest::default()).await;
            if answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let served = tokio::time::timeout(PATIENCE, serves).await;
    assert!(served.is_ok(), "after {after} bytes it does not serve");
}

async fn a_command_service_waits_for_a_mysql_that_breaks_off(engine: Engine) {
    let system = System::start(engine).await;
    create(&system.services, "there are tables").await;
    let start = |after| {
        let proxy = breaking(system.log.address(), after);
        let places = Places {
            mysql: system.log.url_by(proxy.address()),
            ..system.services.places.clone()
        };
        (after, proxy, start_command(&places, ANY_PORT))
    };
    become_able((50..1_700).step_by(50).map(start).collect()).await;
}

async fn a_projector_waits_for_a_redis_that_breaks_off(engine: Engine) {
    let system = System::start(engine).await;
    create(&system.services, "there is an event").await;
    let start = |after| {
        let proxy = breaking(address_in(&system.redis.url()), after);
        let places = Places {
            redis: format!("redis://{}/{}", proxy.address(), system.redis.number()),
            ..system.services.places.clone()
        };
        (after, proxy, start_projector(&places))
    };
    become_able((50..12_000).step_by(350).map(start).collect()).await;
}

async fn become_able(services: Vec<(u64, Proxy, Service)>) {
    tokio::time::sleep(AWAY).await;
    for (_, proxy, _) in &services {
        proxy.heal();
    }
    for (after, _proxy, mut service) in services {
        serves(&mut service, after).await;
    }
}
