use event_store::{Damage, StoreError};
use projector::{Step, StepError};
use test_support::mysql::Engine;
use test_support::on_every_engine;

use crate::support::{World, update};

on_every_engine!(
    a_hole_stops_the_projector_before_it,
    an_event_that_cannot_be_read_stops_the_projector_before_it,
    another_log_is_recognised,
    a_log_that_lost_its_tail_is_recognised,
    a_document_of_another_version_is_folded_anew,
);

async fn a_hole_stops_the_projector_before_it(engine: Engine) {
    let world = World::create(engine).await;
    for _ in 0..6 {
        world.create_circle("football").await;
    }
    world
        .tamper("DELETE FROM circle_events WHERE sequence = 4")
        .await;
    let mut projector = world.projector(3);
    let Step::Applied { checkpoint, .. } = projector.step().await.unwrap() else {
        panic!("nothing applied")
    };
    assert_eq!(checkpoint.get(), 3);
    for _ in 0..3 {
        let error = projector.step().await.unwrap_err();
        assert!(!error.is_transient());
        let StepError::Log(StoreError::Damaged(Damage::Hole { after, found })) = error else {
            panic!("{error:?}")
        };
        assert_eq!((after.get(), found.get()), (3, 5));
    }
}

async fn an_event_that_cannot_be_read_stops_the_projector_before_it(engine: Engine) {
    let world = World::create(engine).await;
    for _ in 0..4 {
        world.create_circle("football").await;
    }
    world
        .tamper("UPDATE circle_events SET event_type = 'CirclePainted' WHERE sequence = 3")
        .await;
    let mut projector = world.projector(2);
    projector.step().await.unwrap();
    let error = projector.step().await.unwrap_err();
    assert!(matches!(
        error,
        StepError::Log(StoreError::Damaged(Damage::Payload { sequence, .. })) if sequence.get() == 3
    ));
    // A program that knows the event goes on where this one stopped.
    world
        .tamper("UPDATE circle_events SET event_type = 'CircleCreated' WHERE sequence = 3")
        .await;
    world.catch_up(&mut world.projector(2)).await;
    world.assert_consistent().await;
}

async fn another_log_is_recognised(engine: Engine) {
    let world = World::create(engine).await;
    for _ in 0..3 {
        world.create_circle("football").await;
    }
    let mut projector = world.projector(10);
    world.catch_up(&mut projector).await;
    // As after a failover to a server that did not have the last event, and got another one.
    world
        .tamper(
            "UPDATE circle_events SET id = '01890000-0000-7000-8000-000000000000' \
             WHERE sequence = 3",
        )
        .await;
    world.create_circle("tennis").await;
    let error = projector.step().await.unwrap_err();
    assert!(matches!(error, StepError::OtherLog { sequence, .. } if sequence.get() == 3));
}

async fn a_log_that_lost_its_tail_is_recognised(engine: Engine) {
    let world = World::create(engine).await;
    for _ in 0..3 {
        world.create_circle("football").await;
    }
    let mut projector = world.projector(10);
    world.catch_up(&mut projector).await;
    world
        .tamper("DELETE FROM circle_events WHERE sequence = 3")
        .await;
    let error = projector.step().await.unwrap_err();
    assert!(
        matches!(error, StepError::OtherLog { found: None, .. }),
        "{error:?}"
    );
}

async fn a_document_of_another_version_is_folded_anew(engine: Engine) {
    let world = World::create(engine).await;
    let mut projector = world.projector(10);
    let (id, _) = world.create_circle("football").await;
    let (other, _) = world.create_circle("judo").await;
    world.catch_up(&mut projector).await;
    // The projector did not see this one, as a bug might have it.
    world.forget_version(id).await;
    world.command(id, update("baseball", 40)).await;
    world.command(other, update("kendo", 40)).await;
    world.catch_up(&mut projector).await;
    world.assert_consistent().await;
}
