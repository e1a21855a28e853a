//! Servers that are not set up as they should be.

use read_model::{Connection, Error, SetupError};
use test_support::redis::{Engine, RedisCluster, RedisServer};

use crate::rig::{Peek, config, in_time, private};

pub(crate) async fn a_server_that_evicts_is_refused(engine: Engine) {
    let rig = private(engine).await;
    assert_eq!(rig.connection.require_noeviction().await, Ok(()));
    let policy = ["SET", "maxmemory-policy", "allkeys-lru"];
    let () = rig.peek().await.send("CONFIG", &policy).await;
    let found = "allkeys-lru".to_owned();
    assert_eq!(
        rig.connection.require_noeviction().await,
        Err(SetupError::EvictionPolicy { found })
    );
}

pub(crate) async fn a_node_that_evicts_is_refused(engine: Engine) {
    let cluster = RedisCluster::start(engine);
    for n in 0..3 {
        let set = |policy| {
            cluster.command_on(n, &["CONFIG", "SET", "maxmemory-policy", policy]);
        };
        let connection = Connection::open(&config(&cluster.url())).unwrap();
        in_time("it connects", connection.connected())
            .await
            .unwrap();
        assert_eq!(connection.require_noeviction().await, Ok(()));
        set("allkeys-lru");
        let found = "allkeys-lru".to_owned();
        assert_eq!(
            connection.require_noeviction().await,
            Err(SetupError::EvictionPolicy { found })
        );
        set("noeviction");
    }
}

pub(crate) async fn a_server_that_does_not_tell_is_accepted(engine: Engine) {
    let server = RedisServer::start(engine);
    let peek = Peek::at(server.url()).await;
    let user = [
        "SETUSER", "reader", "on", ">secret", "~*", "&*", "+@all", "-info",
    ];
    let () = peek.send("ACL", &user).await;
    let url = server.url().replace("redis://", "redis://reader:secret@");
    let connection = Connection::open(&config(&url)).unwrap();
    assert_eq!(in_time("it connects", connection.connected()).await, Ok(()));
    assert_eq!(connection.require_noeviction().await, Ok(()));
}

pub(crate) async fn missing_credentials_are_not_taken_for_an_outage(engine: Engine) {
    let server = RedisServer::start_with(engine, &["--requirepass", "secret"]);
    for login in ["", ":wrong@", "nobody:secret@"] {
        let url = server
            .url()
            .replace("redis://", &format!("redis://{login}"));
        let connection = Connection::open(&config(&url)).unwrap();
        let answer = in_time("an answer", connection.connected()).await;
        assert!(
            matches!(answer, Err(Error::Refused(_))),
            "{login}: {answer:?}"
        );
    }
    let url = server.url().replace("redis://", "redis://:secret@");
    let connection = Connection::open(&config(&url)).unwrap();
    assert_eq!(in_time("it connects", connection.connected()).await, Ok(()));
}
