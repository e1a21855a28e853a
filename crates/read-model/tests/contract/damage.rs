//! What is stored wrongly is an error that names the key.

use read_model::{Corruption, Error, ListQuery, Order};
use shared_domain::CircleId;
use test_support::redis::{Engine, RedisDatabase};

use crate::rig::{Rig, shared};
use crate::world::every_list;

async fn with_two(engine: Engine) -> (Rig<RedisDatabase>, CircleId, CircleId) {
    let mut rig = shared(engine).await;
    let (chess, go) = (rig.world.create("chess", 20), rig.world.create("go", 30));
    rig.catch_up().await;
    (rig, chess, go)
}

/// The key that an error of a corrupt key names.
fn corrupt_key<T>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Corrupt { key, .. }) => key,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("no error"),
    }
}

pub(crate) async fn a_damaged_document_is_named(engine: Engine) {
    let (rig, chess, go) = with_two(engine).await;
    let peek = rig.peek().await;
    let key = format!("circle:{chess}");
    let other: String = peek.send("GET", &[&format!("circle:{go}")]).await;
    for damaged in ["", "{", "[]", "null", "7", &other] {
        let () = peek.send("SET", &[&key, damaged]).await;
        assert_eq!(corrupt_key(rig.reader.get(chess).await), key);
        assert_eq!(corrupt_key(rig.reader.batch_get(&[go, chess]).await), key);
        assert_eq!(
            corrupt_key(rig.projection.documents(&[go, chess]).await),
            key
        );
        for query in every_list(10) {
            assert_eq!(corrupt_key(rig.reader.list(&query).await), key);
        }
        assert!(rig.reader.get(go).await.unwrap().value.is_some());
    }
}

pub(crate) async fn a_document_that_looks_like_a_message_harms_nobody_else(engine: Engine) {
    let (rig, chess, go) = with_two(engine).await;
    let key = format!("circle:{chess}");
    for damaged in ["message", "pmessage", "subscribe"] {
        let () = rig.peek().await.send("SET", &[&key, damaged]).await;
        for ids in [
            &[chess][..],
            &[chess, go],
            &[chess, go, go],
            &[chess, go, go, go],
        ] {
            assert_eq!(corrupt_key(rig.projection.documents(ids).await), key);
            assert_eq!(corrupt_key(rig.reader.batch_get(ids).await), key);
            assert!(rig.reader.get(go).await.unwrap().value.is_some());
        }
    }
}

pub(crate) async fn an_index_that_disagrees_is_named(engine: Engine) {
    let (rig, chess, _) = with_two(engine).await;
    let peek = rig.peek().await;
    let key = format!("circle:{chess}");
    let () = peek.send("DEL", &[&key]).await;
    for query in every_list(10) {
        let corruption = Corruption::Absent;
        let absent = Error::Corrupt {
            key: key.clone(),
            corruption,
        };
        assert_eq!(rig.reader.list(&query).await, Err(absent));
    }
    for (order, index) in [
        (Order::Name, "circles:by_name"),
        (Order::Capacity, "circles:by_capacity"),
        (Order::CreateTime, "circles:by_create_time"),
    ] {
        for member in ["00001", "00001\0a", "00001\0a\0b\0c"] {
            let () = peek.send("ZADD", &[index, "0", member]).await;
            assert_eq!(
                corrupt_key(rig.reader.list(&ListQuery::new(order, 10)).await),
                index
            );
            let () = peek.send("ZREM", &[index, member]).await;
        }
    }
}

pub(crate) async fn an_update_of_a_circle_that_is_not_listed_writes_nothing(engine: Engine) {
    let (mut rig, chess, go) = with_two(engine).await;
    let member = format!("go\x0030\0{go}");
    let () = rig
        .peek()
        .await
        .send("ZREM", &["circles:by_create_time", &member])
        .await;
    let expected = rig.world.checkpoint;
    let before = rig.world.document(chess);
    rig.world.update(chess, Some("shogi"), None);
    rig.world.update(go, None, Some(40));

    let error = rig.projection.apply(&expected, &rig.world.batch()).await;
    let unlisted = Error::Corrupt {
        key: "circles:by_create_time".to_owned(),
        corruption: Corruption::NotListed { id: go },
    };
    assert_eq!(error, Err(unlisted));
    assert_eq!(rig.projection.checkpoint().await, Ok(Some(expected)));
    assert_eq!(rig.reader.get(chess).await.unwrap().value, before);
}

pub(crate) async fn an_index_of_another_type_fails_before_anything_is_written(engine: Engine) {
    for index in [
        "circles:by_name",
        "circles:by_capacity",
        "circles:by_create_time",
    ] {
        let (mut rig, chess, _) = with_two(engine).await;
        let () = rig.peek().await.send("SET", &[index, "text"]).await;
        let expected = rig.world.checkpoint;
        let before = rig.world.document(chess);
        rig.world.delete(chess);
        let error = rig.projection.apply(&expected, &rig.world.batch()).await;
        let corruption = Corruption::WrongType;
        let key = "circles:*".to_owned();
        assert_eq!(error, Err(Error::Corrupt { key, corruption }));
        assert_eq!(rig.reader.get(chess).await.unwrap().value, before);
        assert_eq!(rig.projection.checkpoint().await, Ok(Some(expected)));
    }
}

pub(crate) async fn a_damaged_checkpoint_is_named(engine: Engine) {
    let (rig, chess, _) = with_two(engine).await;
    let key = "circles:checkpoint";
    for damaged in ["", "7", "message", r#"{"sequence":7,"event_id":null}"#] {
        let () = rig.peek().await.send("SET", &[key, damaged]).await;
        assert_eq!(corrupt_key(rig.projection.checkpoint().await), key);
        assert_eq!(corrupt_key(rig.reader.get(chess).await), key);
        assert_eq!(
            corrupt_key(rig.reader.list(&ListQuery::new(Order::Name, 5)).await),
            key
        );
    }
}
