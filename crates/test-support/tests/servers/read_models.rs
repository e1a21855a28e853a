//! As with logs.

use std::time::Duration;

use test_support::redis::{Engine, RedisDatabase, RedisServer};

/// A paused server is given this long to answer after all.
const A_WHILE: Duration = Duration::from_millis(200);

pub(crate) async fn they_are_put_back_as_they_were(engine: Engine) {
    let server = RedisServer::start(engine);
    let database = RedisDatabase::on(&server, 3);
    assert!(database.url().starts_with(server.url()));
    database.command(&["SET", "key", "early"]);
    let saved = server.save();
    for _ in 0..2 {
        assert_eq!(database.command(&["GET", "key"]), ["early"]);
        database.command(&["SET", "key", "late"]);
        server.restore(&saved);
    }
    assert_eq!(database.command(&["GET", "key"]), ["early"]);
}

pub(crate) async fn paused_ones_answer_later(engine: Engine) {
    let server = RedisServer::start(engine);
    let database = RedisDatabase::on(&server, 0);
    server.pause();
    let mut answer = tokio::task::spawn_blocking(move || database.command(&["PING"]));
    tokio::time::timeout(A_WHILE, &mut answer)
        .await
        .unwrap_err();
    server.resume();
    assert_eq!(answer.await.unwrap(), ["PONG"]);
}
