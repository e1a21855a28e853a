//! What is stored wrongly is an error that names the key.

use read_model::{Corruption, Error, HistoryQuery, ListQuery, Moment, Order, Outcome};
use shared_domain::{CircleId, Version};
use test_support::redis::{Engine, RedisDatabase};

use crate::rig::{Rig, shared, spread};

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
        assert!(rig.reader.get(go).await.unwrap().value.is_some());
    }
}

/// An operator has to find it.
pub(crate) async fn a_key_is_named_with_its_partition(engine: Engine) {
    let mut rig = spread(engine, 4).await;
    let chess = rig.world.create("chess", 20);
    rig.catch_up().await;
    let peek = rig.peek().await;
    let partition = rig.connection.layout().partition_of(chess);
    let document = format!("{{{partition}}}:circle:{chess}");
    let () = peek.send("SET", &[&document, "7"]).await;
    assert_eq!(corrupt_key(rig.reader.get(chess).await), document);

    let parked = format!("{{{partition}}}:circles:parked");
    let () = peek.send("HSET", &[&parked, &chess.to_string(), "7"]).await;
    let () = peek.send("SET", &[&format!("{parked}:count"), "1"]).await;
    let moment = Moment::Version(Version::FIRST);
    assert_eq!(corrupt_key(rig.reader.get(chess).await), parked);
    assert_eq!(corrupt_key(rig.reader.as_of(chess, moment).await), parked);
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
            assert_eq!(corrupt_key(rig.reader.batch_get(ids).await), key);
            assert!(rig.reader.get(go).await.unwrap().value.is_some());
        }
    }
}

pub(crate) async fn an_index_that_disagrees_is_named(engine: Engine) {
    let (rig, chess, _) = with_two(engine).await;
    let peek = rig.peek().await;
    for (order, index) in [
        (Order::Name, "circles:by_name"),
        (Order::Capacity, "circles:by_capacity"),
        (Order::CreateTime, "circles:by_create_time"),
    ] {
        for member in ["00001", "00001\0a", "00001\0a\0b\0c", "1\n2\n3"] {
            let () = peek.send("ZADD", &[index, "0", member]).await;
            assert_eq!(
                corrupt_key(rig.reader.list(&ListQuery::new(order, 10)).await),
                index
            );
            let () = peek.send("ZREM", &[index, member]).await;
        }
    }
    let member = format!("00020chess\0{chess}0000000001");
    let () = peek
        .send("ZREM", &["circles:by_create_time", &member])
        .await;
    let mut query = ListQuery::new(Order::CreateTime, 10);
    query.name_prefix = "chess".to_owned();
    let unlisted = Error::Corrupt {
        key: "circles:by_create_time".to_owned(),
        corruption: Corruption::NotListed { id: chess },
    };
    assert_eq!(rig.reader.list(&query).await, Err(unlisted));
}

pub(crate) async fn an_update_of_a_circle_that_is_not_listed_writes_nothing(engine: Engine) {
    let (mut rig, chess, go) = with_two(engine).await;
    let member = format!("00030go\0{go}0000000001");
    let () = rig
        .peek()
        .await
        .send("ZREM", &["circles:by_create_time", &member])
        .await;
    let expected = rig.standing().await;
    let before = rig.world.document(chess);
    rig.world.update(chess, Some("shogi"), None);
    rig.world.update(go, None, Some(40));

    let batch = rig.world.batch();
    let outcome = rig.partition().apply(&expected, &batch).await;
    assert_eq!(outcome, Ok(Outcome::Unfit(vec![go])));
    assert_eq!(rig.standing().await, expected);
    assert_eq!(rig.reader.get(chess).await.unwrap().value, before);
}

pub(crate) async fn a_key_of_another_type_fails_before_anything_is_written(engine: Engine) {
    for key in [
        "circles:by_name",
        "circles:by_capacity",
        "circles:by_create_time",
        "circles:changes",
        "circles:parked",
    ] {
        let (mut rig, chess, _) = with_two(engine).await;
        let () = rig.peek().await.send("SET", &[key, "text"]).await;
        let expected = rig.standing().await;
        let before = rig.world.document(chess);
        rig.world.delete(chess);
        let batch = rig.world.batch();
        let error = rig.partition().apply(&expected, &batch).await;
        let corruption = Corruption::WrongType;
        let key = "circles:*".to_owned();
        assert_eq!(error, Err(Error::Corrupt { key, corruption }));
        assert_eq!(rig.reader.get(chess).await.unwrap().value, before);
        assert_eq!(rig.standing().await, expected);
    }
}

pub(crate) async fn a_damaged_history_is_named(engine: Engine) {
    let (rig, chess, go) = with_two(engine).await;
    let peek = rig.peek().await;
    let key = format!("circle:{chess}:history");
    let query = HistoryQuery {
        after: None,
        descending: false,
        limit: 10,
    };
    let (version, time) = (
        Moment::Version(Version::FIRST),
        Moment::Time(rig.world.clock),
    );
    let entry: String = peek.send("LINDEX", &[&key, "0"]).await;
    let damage = ["", "{", "7", "null", "[]", r#"{"occurred_at":7}"#];
    for damaged in damage
        .into_iter()
        .chain([entry.replace(":1,", ":2,").as_str()])
    {
        let () = peek.send("LSET", &[&key, "0", damaged]).await;
        assert_eq!(corrupt_key(rig.reader.history(chess, query).await), key);
        for moment in [version, time] {
            assert_eq!(corrupt_key(rig.reader.as_of(chess, moment).await), key);
            assert!(rig.reader.as_of(go, moment).await.is_ok());
        }
    }
}

pub(crate) async fn a_damaged_checkpoint_is_named(engine: Engine) {
    let (rig, chess, _) = with_two(engine).await;
    let key = "circles:checkpoint";
    for damaged in [
        "",
        "7",
        "message",
        "pmessage",
        r#"{"sequence":7,"event_id":null}"#,
    ] {
        let () = rig.peek().await.send("SET", &[key, damaged]).await;
        assert_eq!(corrupt_key(rig.partition().standing().await), key);
        assert_eq!(corrupt_key(rig.reader.get(chess).await), key);
        assert_eq!(
            corrupt_key(rig.reader.list(&ListQuery::new(Order::Name, 5)).await),
            key
        );
    }
}
