use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::{
    CreateCircleRequest, DeleteCircleRequest, GetCircleRequest, UpdateCircleRequest,
};
use test_support::judge;
use test_support::mysql::Engine;
use test_support::on_every_engine;
use tonic::transport::Channel;

use crate::support::{System, when_ready};

on_every_engine!(
    a_projector_killed_again_and_again_loses_nothing,
    sigterm_ends_every_service_in_order,
);

/// Creates, changes and deletes circles until told to stop, and tells how many events that made.
async fn load(mut commands: CircleCommandServiceClient<Channel>, stop: Arc<AtomicBool>) -> u64 {
    let mut events = 0;
    while !stop.load(Ordering::Relaxed) {
        let create = CreateCircleRequest {
            name: format!("circle {}", events % 17),
            capacity: 20,
            ..Default::default()
        };
        let created = commands.create_circle(create).await.unwrap().into_inner();
        for capacity in 21..24 {
            let update = UpdateCircleRequest {
                circle_id: created.circle_id.clone(),
                capacity: Some(capacity),
                ..Default::default()
            };
            commands.update_circle(update).await.unwrap();
        }
        events += 4;
        if events % 3 == 0 {
            let delete = DeleteCircleRequest {
                circle_id: created.circle_id,
                ..Default::default()
            };
            commands.delete_circle(delete).await.unwrap();
            events += 1;
        }
    }
    events
}

async fn a_projector_killed_again_and_again_loses_nothing(engine: Engine) {
    let mut system = System::start(engine).await;
    let first = CreateCircleRequest {
        name: "first".into(),
        capacity: 20,
        ..Default::default()
    };
    let commands = system.commands();
    when_ready(|| {
        let (mut commands, first) = (commands.clone(), first.clone());
        async move { commands.create_circle(first).await }
    })
    .await;

    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| tokio::spawn(load(system.commands(), Arc::clone(&stop))))
        .collect();
    for round in 0..15_u64 {
        // Between its start and some pages later.
        tokio::time::sleep(Duration::from_millis((round * 37) % 150)).await;
        system.restart_projector();
    }
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = 1;
    for client in clients {
        acknowledged += client.await.unwrap();
    }
    assert_eq!(judge::count_events(&system.log).await, acknowledged);
    system.assert_consistent().await;
}

async fn sigterm_ends_every_service_in_order(engine: Engine) {
    let mut system = System::start(engine).await;
    let create = CreateCircleRequest {
        name: "tea".into(),
        capacity: 20,
        ..Default::default()
    };
    let commands = system.commands();
    let created = when_ready(|| {
        let (mut commands, create) = (commands.clone(), create.clone());
        async move { commands.create_circle(create).await }
    })
    .await;
    let queries = system.queries();
    let get = GetCircleRequest {
        circle_id: created.circle_id,
        min_sequence: Some(created.sequence),
    };
    when_ready(|| {
        let (mut queries, get) = (queries.clone(), get.clone());
        async move { queries.get_circle(get).await }
    })
    .await;
    // The clients' connections are still open; they must not hold the drain.
    for service in [
        &mut system.command,
        &mut system.query,
        &mut system.projector,
    ] {
        let status = service.terminate();
        assert!(status.success(), "{status}");
    }
}
