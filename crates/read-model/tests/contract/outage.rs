//! A server that is gone, or can't serve, for a while.

use std::sync::Arc;
use std::time::Duration;

use read_model::{Connection, Error, Outcome, Reader};
use test_support::redis::{Engine, RedisServer};
use tokio::time::timeout;

use crate::follow::{is_listening, latest_becomes, wait_for};
use crate::rig::{Peek, config, durable, eventually, in_time, private};

pub(crate) async fn a_server_that_is_down_at_the_start_is_waited_for(engine: Engine) {
    let server = RedisServer::start(engine);
    server.kill();
    let connection = Connection::open(&config(server.url())).unwrap();
    let reader = Reader::new(connection.clone());
    let nobody = shared_domain::CircleId::from_uuid(uuid::Uuid::nil());
    let answer = in_time("an error", connection.ping()).await;
    assert!(matches!(answer, Err(Error::Unreachable(_))), "{answer:?}");
    let answer = in_time("an error", reader.get(nobody)).await;
    assert!(matches!(answer, Err(Error::Unreachable(_))), "{answer:?}");
    let short = Duration::from_millis(200);
    assert!(timeout(short, connection.connected()).await.is_err());

    server.restart();
    assert_eq!(in_time("it connects", connection.connected()).await, Ok(()));
    assert_eq!(reader.get(nobody).await, Err(Error::NotBuilt));
}

pub(crate) async fn a_server_with_too_many_clients_is_waited_for(engine: Engine) {
    let server = RedisServer::start(engine);
    let peek = Peek::at(server.url()).await;
    let () = peek.send("CONFIG", &["SET", "maxclients", "1"]).await;
    let connection = Connection::open(&config(server.url())).unwrap();
    eventually("it says why", async || match connection.ping().await {
        Err(Error::Unreachable(error)) => error.details().contains("max number of clients"),
        other => panic!("{other:?}"),
    })
    .await;
    let () = peek.send("CONFIG", &["SET", "maxclients", "100"]).await;
    assert_eq!(in_time("it connects", connection.connected()).await, Ok(()));
}

pub(crate) async fn all_goes_on_after_a_crash_of_the_server(engine: Engine) {
    let mut rig = durable(engine).await;
    let follower = Arc::new(rig.follow());
    let chess = rig.world.create("chess", 20);
    rig.catch_up().await;

    for crash in 1..=2 {
        rig.server.kill();
        let answer = in_time("an error", rig.reader.get(chess)).await;
        assert!(matches!(answer, Err(Error::Unreachable(_))), "{answer:?}");
        let awaited = rig.world.checkpoint.sequence.next();
        let waiter = Arc::clone(&follower);
        let waiting = tokio::spawn(async move { wait_for(&waiter, awaited).await });

        rig.server.restart();
        in_time("it connects", rig.connection.connected())
            .await
            .unwrap();
        assert_eq!(
            rig.reader.get(chess).await.unwrap().value,
            rig.world.document(chess)
        );
        // The server has forgotten the scripts.
        rig.world.update(chess, None, Some(20 + crash));
        rig.catch_up().await;
        in_time("the waiter wakes", waiting).await.unwrap().unwrap();
        // Hints come again, too.
        is_listening(&rig).await;
        for _ in 0..2 {
            rig.world.update(chess, None, Some(40 + crash));
            rig.catch_up().await;
            latest_becomes(&follower, rig.world.checkpoint.sequence).await;
        }
    }
}

pub(crate) async fn a_server_that_cannot_write_now_is_transient(engine: Engine) {
    let mut rig = private(engine).await;
    let peek = rig.peek().await;
    let chess = rig.world.create("chess", 20);
    rig.catch_up().await;
    let expected = rig.standing().await;
    rig.world.update(chess, Some("shogi"), None);
    let batch = rig.world.batch();

    let full = ["SET", "maxmemory", "1"];
    let () = peek.send("CONFIG", &full).await;
    let answer = rig.partition().apply(&expected, &batch).await;
    assert!(matches!(answer, Err(Error::Unreachable(_))), "{answer:?}");
    let () = peek.send("CONFIG", &["SET", "maxmemory", "0"]).await;

    let () = peek.send("REPLICAOF", &["127.0.0.1", "1"]).await;
    let answer = rig.partition().apply(&expected, &batch).await;
    assert!(matches!(answer, Err(Error::Unreachable(_))), "{answer:?}");
    assert_eq!(rig.standing().await, expected);
    let () = peek.send("REPLICAOF", &["NO", "ONE"]).await;

    eventually("it can write again", async || {
        let outcome = rig.partition().apply(&expected, &batch).await;
        matches!(outcome, Ok(Outcome::Applied(_)))
    })
    .await;
    assert_eq!(
        rig.reader.get(chess).await.unwrap().value,
        rig.world.document(chess)
    );
}

pub(crate) async fn a_crash_under_a_full_queue_does_not_end_the_connection(engine: Engine) {
    let server = RedisServer::start(engine);
    let mut config = config(server.url());
    (config.queue_size, config.pool_size) = (1, 1);
    let connection = Connection::open(&config).unwrap();
    in_time("it connects", connection.connected())
        .await
        .unwrap();
    for _ in 0..5 {
        let flood: Vec<_> = (0..200)
            .map(|_| {
                let connection = connection.clone();
                tokio::spawn(async move { while connection.ping().await.is_ok() {} })
            })
            .collect();
        server.kill();
        for task in flood {
            in_time("an error", task).await.unwrap();
        }
        server.restart();
        assert_eq!(in_time("it connects", connection.connected()).await, Ok(()));
    }
}
