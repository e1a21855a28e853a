use event_store::{Config, EventStore, SetupError, StoreError, migrate};
use test_support::mysql::{Database, Engine};
use test_support::on_every_engine;

on_every_engine!(
    migrations_started_together_run_once,
    a_missing_database_is_created,
    tables_are_required,
    a_durable_server_is_recognised,
    a_server_that_is_not_there_is_unavailable,
);

async fn migrations_started_together_run_once(engine: Engine) {
    let database = Database::create(engine).await;
    let url = database.url();
    let (a, b, c) = tokio::join!(migrate(&url), migrate(&url), migrate(&url));
    a.unwrap();
    b.unwrap();
    c.unwrap();
    let store = EventStore::connect(&Config::new(&url)).await.unwrap();
    store.require_migrated().await.unwrap();
    assert_eq!(store.head().await.unwrap().get(), 0);
}

async fn a_missing_database_is_created(engine: Engine) {
    let database = Database::create(engine).await;
    let mut connection = database.connection().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "DROP DATABASE {}",
        database.name()
    )))
    .execute(&mut connection)
    .await
    .unwrap();
    let missing = EventStore::connect(&Config::new(database.url())).await;
    assert!(matches!(
        missing,
        Err(SetupError::NotMigrated { found: 0, .. })
    ));
    migrate(&database.url()).await.unwrap();
    let store = EventStore::connect(&Config::new(database.url()))
        .await
        .unwrap();
    store.require_migrated().await.unwrap();
}

async fn tables_are_required(engine: Engine) {
    let database = Database::create(engine).await;
    let store = EventStore::connect(&Config::new(database.url()))
        .await
        .unwrap();
    let error = store.require_migrated().await.unwrap_err();
    assert!(
        matches!(
            error,
            SetupError::NotMigrated {
                found: 0,
                needed: 3..
            }
        ),
        "{error:?}"
    );
}

async fn a_durable_server_is_recognised(engine: Engine) {
    let database = Database::create(engine).await;
    let store = EventStore::connect(&Config::new(database.url()))
        .await
        .unwrap();
    store.require_durable().await.unwrap();
}

async fn a_server_that_is_not_there_is_unavailable(_: Engine) {
    // Port 1 of this machine: nothing listens there.
    let error = EventStore::connect(&Config::new("mysql://root@127.0.0.1:1/circles"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, SetupError::Store(StoreError::Unavailable(_))),
        "{error:?}"
    );
}
