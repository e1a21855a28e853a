//! A query service that is ready only while somebody keeps its read models young.

use test_support::mysql::Engine;
use test_support::on_every_engine;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::client::{Load, create, until_visible};
use crate::support::{System, turns};

on_every_engine!(readiness_follows_the_age_of_the_read_models);

async fn readiness_follows_the_age_of_the_read_models(engine: Engine) {
    // Longer than the lease, which brings the age, and than a stall of a busy machine.
    let mut system = System::start_with(engine, &[("CIRCLES_QUERY_MAX_LAG", "3s")]).await;
    let query = &system.services.query;
    turns(query, ServingStatus::Serving).await;
    // Neither rest nor work turns it.
    let load = Load::start(&system.services, 3);
    let (id, sequence) = create(&system.services, "football").await;
    until_visible(&system.services, &id, sequence).await;
    load.stop().await;
    assert!(!query.log_contains("health turned ready=false"));

    system.services.projector.pause();
    turns(&system.services.query, ServingStatus::NotServing).await;
    system.services.projector.resume();
    turns(&system.services.query, ServingStatus::Serving).await;
    system.services.restart_projector();
    system.assert_consistent().await;
}
