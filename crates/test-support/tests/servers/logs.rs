//! A log that is put back has what it had, and one that is paused does nothing.

use std::time::Duration;

use test_support::mysql::{Database, Engine, MySqlServer};
use test_support::on_every_engine;

on_every_engine!(a_log_is_put_back_as_it_was, a_paused_log_answers_later);

/// A paused server is given this long to answer after all.
const A_WHILE: Duration = Duration::from_millis(200);

async fn a_log_is_put_back_as_it_was(engine: Engine) {
    let server = MySqlServer::start(engine);
    let database = Database::create_on(server.url().to_owned()).await;
    run(
        &database,
        "CREATE TABLE t (n INT PRIMARY KEY) ENGINE = InnoDB",
    )
    .await;
    run(&database, "INSERT INTO t VALUES (1)").await;
    let saved = server.save();
    for n in [2, 3] {
        run(&database, "INSERT INTO t SELECT MAX(n) + 1 FROM t").await;
        assert_eq!(count(&database).await, n);
        server.restore(&saved);
        assert_eq!(count(&database).await, 1);
        run(&database, "INSERT INTO t VALUES (2)").await;
    }
}

async fn a_paused_log_answers_later(engine: Engine) {
    let server = MySqlServer::start(engine);
    let database = Database::create_on(server.url().to_owned()).await;
    run(&database, "CREATE TABLE t (n INT PRIMARY KEY)").await;
    server.pause();
    let mut answer = Box::pin(count(&database));
    tokio::time::timeout(A_WHILE, &mut answer)
        .await
        .unwrap_err();
    server.resume();
    assert_eq!(answer.await, 0);
    // What is paused can be killed.
    server.pause();
    server.kill();
    server.restart();
    assert_eq!(count(&database).await, 0);
}

async fn run(database: &Database, sql: &'static str) {
    let mut connection = database.connection().await;
    sqlx::query(sql).execute(&mut connection).await.unwrap();
}

async fn count(database: &Database) -> i64 {
    let mut connection = database.connection().await;
    sqlx::query_scalar("SELECT COUNT(*) FROM t")
        .fetch_one(&mut connection)
        .await
        .unwrap()
}
