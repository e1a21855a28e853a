//! Batches are written whole, once, and only onto the expected checkpoint.

use read_model::{
    Batch, Checkpoint, Config, Connection, Error, ListQuery, Order, Outcome, Projection,
};
use shared_domain::{CircleId, EventId, Sequence};
use test_support::redis::Engine;
use uuid::Uuid;

use crate::rig::{in_time, shared, unbuilt};
use crate::world::{World, every_list};

pub(crate) async fn a_batch_is_written_whole_and_found_again(engine: Engine) {
    let mut rig = shared(engine).await;
    let football = rig.world.create("football", 20);
    let chess = rig.world.create("将棋 \"A\"", 5);
    rig.catch_up().await;
    rig.world.update(football, Some("baseball"), Some(30));
    rig.world.delete(chess);
    let go = rig.world.create("go", 3);
    rig.catch_up().await;

    let checkpoint = rig.world.checkpoint;
    assert_eq!(rig.projection.checkpoint().await, Ok(Some(checkpoint)));
    let ids = [go, chess, football];
    let expected: Vec<_> = ids.iter().map(|id| rig.world.document(*id)).collect();
    assert_eq!(rig.projection.documents(&ids).await.as_ref(), Ok(&expected));
    let found = rig.reader.batch_get(&ids).await.unwrap();
    assert_eq!(
        (found.value, found.sequence),
        (expected, checkpoint.sequence)
    );
    let found = rig.reader.get(chess).await.unwrap();
    assert_eq!((found.value, found.sequence), (None, checkpoint.sequence));
    let none = rig.reader.batch_get(&[]).await.unwrap();
    assert_eq!((none.value, none.sequence), (vec![], checkpoint.sequence));
    for query in every_list(10) {
        assert_eq!(rig.walk(&query).await, rig.world.list(&query), "{query:?}");
    }
}

pub(crate) async fn only_the_expected_checkpoint_lets_a_batch_in(engine: Engine) {
    let mut rig = shared(engine).await;
    let id = rig.world.create("chess", 20);
    rig.catch_up().await;
    let present = rig.world.checkpoint;

    rig.world.delete(id);
    let batch = rig.world.batch();
    let other_event = EventId::from_uuid(Uuid::from_u128(99));
    for wrong in [
        Checkpoint::EMPTY,
        *batch.checkpoint(),
        Checkpoint::at(present.sequence, other_event),
    ] {
        let outcome = rig.projection.apply(&wrong, &batch).await;
        let found = Some(present);
        assert_eq!(outcome, Ok(Outcome::Superseded { found }));
    }
    assert!(rig.reader.get(id).await.unwrap().value.is_some());

    let () = rig.peek().await.send("DEL", &["circles:checkpoint"]).await;
    let outcome = rig.projection.apply(&present, &batch).await;
    assert_eq!(outcome, Ok(Outcome::Superseded { found: None }));
}

pub(crate) async fn a_batch_sent_again_changes_nothing(engine: Engine) {
    let mut rig = shared(engine).await;
    let id = rig.world.create("chess", 20);
    rig.catch_up().await;
    let expected = rig.world.checkpoint;
    rig.world.update(id, None, Some(30));
    rig.world.create("go", 3);
    let batch = rig.world.batch();

    let first = rig.projection.apply(&expected, &batch).await;
    assert_eq!(first, Ok(Outcome::Applied));
    let again = rig.projection.apply(&expected, &batch).await;
    let found = Some(rig.world.checkpoint);
    assert_eq!(again, Ok(Outcome::Superseded { found }));
    for query in every_list(10) {
        assert_eq!(rig.walk(&query).await, rig.world.list(&query));
    }
}

pub(crate) async fn of_two_racing_projections_each_batch_counts_once(engine: Engine) {
    const EVENTS: u64 = 200;
    let rig = shared(engine).await;
    // Both project the same log: event n creates circle n.
    let race = |url: String| async move {
        let projection = Projection::new(Connection::open(&Config::new(url)).unwrap());
        let mut applied = 0_u64;
        loop {
            let expected = projection.checkpoint().await.unwrap().unwrap();
            if expected.sequence.get() == EVENTS {
                return applied;
            }
            let mut world = World::empty();
            for _ in 0..=expected.sequence.get() {
                world.batch();
                world.create("chess", 20);
            }
            match projection.apply(&expected, &world.batch()).await.unwrap() {
                Outcome::Applied => applied += 1,
                Outcome::Superseded { found } => {
                    assert!(found.unwrap().sequence > expected.sequence);
                }
            }
        }
    };
    let one = tokio::spawn(race(rig.url.clone()));
    let two = tokio::spawn(race(rig.url.clone()));
    let both = in_time("both arrive", async { (one.await, two.await) }).await;
    assert_eq!(both.0.unwrap() + both.1.unwrap(), EVENTS);
    let listed = rig.walk(&ListQuery::new(Order::CreateTime, 50)).await;
    assert_eq!(listed.len() as u64, EVENTS);
}

pub(crate) async fn a_thousand_changes_fit_into_a_batch(engine: Engine) {
    let mut rig = shared(engine).await;
    // As long as names can be.
    let name = "部".repeat(100);
    let ids: Vec<CircleId> = (0..1_000).map(|_| rig.world.create(&name, 20)).collect();
    rig.catch_up().await;
    for id in &ids {
        rig.world.update(*id, Some("chess"), Some(30));
    }
    rig.catch_up().await;

    let expected: Vec<_> = ids.iter().map(|id| rig.world.document(*id)).collect();
    assert_eq!(rig.projection.documents(&ids).await, Ok(expected));
    for query in every_list(1_000) {
        let page = rig.reader.list(&query).await.unwrap();
        assert_eq!(page.documents, rig.world.list(&query));
        assert_eq!(page.next, None);
    }

    ids.iter().for_each(|id| rig.world.delete(*id));
    rig.catch_up().await;
    assert_eq!(rig.peek().await.count_keys().await, 1);
}

pub(crate) async fn a_deleted_circle_leaves_nothing_behind(engine: Engine) {
    let mut rig = shared(engine).await;
    let peek = rig.peek().await;
    let chess = rig.world.create("chess", 20);
    let go = rig.world.create("go", 20);
    rig.catch_up().await;
    assert_eq!(peek.count_keys().await, 2 + 3 + 1);
    rig.world.update(chess, Some("shogi"), None);
    rig.world.update(go, None, Some(40));
    rig.catch_up().await;
    rig.world.delete(chess);
    rig.catch_up().await;
    assert_eq!(peek.count_keys().await, 1 + 3 + 1);
    rig.world.delete(go);
    rig.catch_up().await;
    assert_eq!(peek.count_keys().await, 1);
}

pub(crate) async fn only_an_absent_checkpoint_is_initialized(engine: Engine) {
    let mut rig = shared(engine).await;
    assert_eq!(rig.projection.initialize().await, Ok(false));
    rig.world.create("chess", 20);
    rig.catch_up().await;
    assert_eq!(rig.projection.initialize().await, Ok(false));
    let checkpoint = rig.world.checkpoint;
    assert_eq!(rig.projection.checkpoint().await, Ok(Some(checkpoint)));
}

pub(crate) async fn nothing_is_read_from_a_read_model_that_was_never_built(engine: Engine) {
    let rig = unbuilt(engine);
    let id = CircleId::from_uuid(Uuid::from_u128(1));
    assert_eq!(rig.projection.checkpoint().await, Ok(None));
    assert_eq!(rig.projection.documents(&[id]).await, Ok(vec![None]));
    assert_eq!(rig.reader.get(id).await, Err(Error::NotBuilt));
    assert_eq!(rig.reader.batch_get(&[id]).await, Err(Error::NotBuilt));
    for query in every_list(10) {
        assert_eq!(rig.reader.list(&query).await, Err(Error::NotBuilt));
    }

    assert_eq!(rig.projection.initialize().await, Ok(true));
    let found = rig.reader.get(id).await.unwrap();
    assert_eq!((found.value, found.sequence), (None, Sequence::ZERO));
}

pub(crate) async fn keys_are_those_of_the_contract(engine: Engine) {
    let mut rig = shared(engine).await;
    let peek = rig.peek().await;
    let empty: String = peek.send("GET", &["circles:checkpoint"]).await;
    assert_eq!(empty, r#"{"sequence":0,"event_id":null}"#);

    let id = rig.world.create("football", 20);
    rig.catch_up().await;
    rig.world.update(id, Some("baseball"), None);
    rig.catch_up().await;
    let document: String = peek.send("GET", &[&format!("circle:{id}")]).await;
    assert_eq!(
        document,
        format!(r#"{{"id":"{id}","name":"baseball","capacity":20,"version":2}}"#)
    );
    let checkpoint: String = peek.send("GET", &["circles:checkpoint"]).await;
    assert_eq!(
        checkpoint,
        r#"{"sequence":2,"event_id":"00000000-0000-0000-0000-000000000002"}"#
    );
    for (index, member, score) in [
        ("circles:by_name", format!("baseball\0{id}\x0020"), "0"),
        ("circles:by_capacity", format!("00020\0baseball\0{id}"), "0"),
        (
            "circles:by_create_time",
            format!("baseball\x0020\0{id}"),
            "1",
        ),
    ] {
        let entries: Vec<String> = peek.send("ZRANGE", &[index, "0", "-1", "WITHSCORES"]).await;
        assert_eq!(entries, [member, score.to_owned()]);
    }
    // A batch without changes moves the checkpoint alone.
    let expected = rig.world.checkpoint;
    let later = Checkpoint::at(Sequence::new(9), EventId::from_uuid(Uuid::from_u128(9)));
    let outcome = rig.projection.apply(&expected, &Batch::new(later)).await;
    assert_eq!(outcome, Ok(Outcome::Applied));
    assert_eq!(rig.reader.get(id).await.unwrap().sequence, Sequence::new(9));
}
