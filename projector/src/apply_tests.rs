//! What is known of circles, which no outcome shows: what is wrong is found on writing, and mended.

use read_model::ParkedEvent;
use shared_domain::Version;
use test_support::mysql::Engine;
use test_support::on_every_engine;

use super::*;
use crate::support::{World, update};

on_every_engine!(
    of_a_circle_is_known_what_its_next_event_needs,
    what_was_written_is_not_asked,
);

async fn of_a_circle_is_known_what_its_next_event_needs(engine: Engine) {
    let world = World::create(engine).await;
    let (old, _) = world.create_circle("old").await;
    let (parked, _) = world.create_circle("parked").await;
    world.catch_up(&mut world.projector(10)).await;
    world.command(old, update("older", 5)).await;
    world.command(parked, update("waiting", 5)).await;
    let (new, _) = world.create_circle("new").await;
    let log = world.store.read_from(Sequence::ZERO.next(), 10).await;
    let log = log.unwrap();

    let mut projector = world.projector(10);
    let mut state = projector.find().await.unwrap().expect("a read model");
    let partition = &mut state.partitions[0];
    let event = ParkedEvent {
        sequence: log[3].sequence,
        version: log[3].version,
        reason: "as it is".to_owned(),
    };
    partition.parked.insert(parked, event);
    let mut know = async |n: usize, certain: &[CircleId]| {
        let certain = certain.iter().copied().collect();
        let id = log[n].circle_id;
        let known = projector.know(0, &[&log[n]], partition, &certain).await;
        let known = known.unwrap().remove(&id)?;
        Some(known.circle.version().map(Version::get))
    };
    assert_eq!(know(2, &[]).await, Some(Some(1)), "asked of Redis");
    assert_eq!(know(3, &[]).await, None, "it is parked");
    assert_eq!(know(4, &[]).await, Some(None), "it is new");
    assert_eq!(know(4, &[new]).await, Some(None), "Redis says so, too");
    // Redis has the event already, which nobody asks unless what it has is certain.
    assert_eq!(know(0, &[]).await, Some(None));
    assert_eq!(know(0, &[old]).await, Some(Some(1)));
}

async fn what_was_written_is_not_asked(engine: Engine) {
    let world = World::create(engine).await;
    let (filled, _) = world.create_circle("filled").await;
    let mut projector = world.projector(10);
    world.catch_up(&mut projector).await;
    let (applied, _) = world.create_circle("applied").await;
    world.catch_up(&mut projector).await;
    for id in [filled, applied] {
        world.command(id, update("changed", 5)).await;
    }
    let log = world.store.read_from(Sequence::new(3), 10).await.unwrap();
    let state = projector.find().await.unwrap().expect("a read model");
    let asked = world.connection.commands();
    let certain = BTreeSet::new();
    let events: Vec<&LogEntry> = log.iter().collect();
    let known = projector.know(0, &events, &state.partitions[0], &certain);
    assert_eq!(known.await.unwrap().len(), 2);
    assert_eq!(world.connection.commands(), asked);
}
