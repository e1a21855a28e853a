//! Every process is replaced, one after the other, while everybody works.

use std::error::Error as _;

use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::circle_query_service_client::CircleQueryServiceClient;
use test_support::judge;
use test_support::mysql::Engine;
use test_support::on_every_engine;
use test_support::process::Service;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;

use crate::client::{Load, Reader, create, until_visible};
use crate::support::{ANY_PORT, System, start_command, start_query, turns};

on_every_engine!(no_call_fails_while_every_process_is_replaced);

/// What clients of gRPC retry. Where a connection ends under a call, tonic says CANCELLED or UNKNOWN;
/// by gRPC's own rules, and with its other clients, that is UNAVAILABLE.
fn unavailable(status: &Status) -> bool {
    let lost_connection = || status.source()?.downcast_ref::<tonic::transport::Error>();
    status.code() == Code::Unavailable || lost_connection().is_some()
}

/// Over all of them, as a client does that knows several addresses.
fn balanced(services: [&Service; 2]) -> Channel {
    let endpoint = |service: &Service| {
        let address = format!("http://{}", service.address());
        Endpoint::from_shared(address).unwrap()
    };
    Channel::balance_list(services.map(endpoint).into_iter())
}

/// Ends it as Kubernetes would, and starts it again where it was, until it serves.
async fn replace(service: &mut Service, start: impl Fn(&str) -> Service) {
    let address = service.address().to_string();
    let status = service.terminate();
    assert!(status.success(), "{status}");
    *service = start(&address);
    turns(service, ServingStatus::Serving).await;
}

async fn no_call_fails_while_every_process_is_replaced(engine: Engine) {
    let mut system = System::start(engine).await;
    let (circle_id, sequence) = create(&system.services, "always there").await;
    until_visible(&system.services, &circle_id, sequence).await;
    let places = system.services.places.clone();
    let mut command = start_command(&places, ANY_PORT);
    let mut query = start_query(&places, ANY_PORT);
    let stand_by = system.services.another_projector();
    let services = &mut system.services;

    let commands = balanced([&services.command, &command]);
    let queries = balanced([&services.query, &query]);
    let load = Load::start_over(CircleCommandServiceClient::new(commands), 4, unavailable);
    let reader = Reader::start_over(
        CircleQueryServiceClient::new(queries),
        circle_id,
        unavailable,
    );
    for _ in 0..3 {
        replace(&mut services.command, |at| start_command(&places, at)).await;
        replace(&mut services.query, |at| start_query(&places, at)).await;
        replace(&mut command, |at| start_command(&places, at)).await;
        replace(&mut query, |at| start_query(&places, at)).await;
    }
    // The stand-by takes over at once: a projector that ends gives the lease back.
    assert!(services.projector.terminate().success());
    stand_by.logs("the lease changed hands leads=true").await;

    let (shown, _) = reader.stop().await;
    assert!(shown > 0);
    let acknowledged = load.stop().await + 1;
    assert_eq!(judge::count_events(&system.log).await, acknowledged);
    system.assert_consistent().await;
}
