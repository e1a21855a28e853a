use event_store::{Config, EventStore, SetupError, StoreError, migrate};
use test_support::mysql::{Database, Engine};
use test_support::on_every_engine;

on_every_engine!(
    migrations_started_together_run_once,
    a_missing_database_is_created,
    a_migration_that_was_cut_off_is_begun_anew,
    what_was_used_is_never_removed,
    tables_of_a_newer_release_are_good_enough,
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

/// As a migration leaves it that did not come to its end, early or late in it.
async fn cut_off(database: &Database, version: i64, made: bool) {
    const TABLES: [&str; 3] = ["circle_events", "log_head", "circle_snapshots"];
    migrate(&database.url()).await.unwrap();
    let mut connection = database.connection().await;
    let last = usize::try_from(version).unwrap();
    let mut undo = format!(
        "UPDATE _sqlx_migrations SET success = FALSE WHERE version = {version}; \
         DELETE FROM _sqlx_migrations WHERE version > {version}"
    );
    for table in &TABLES[last - usize::from(!made)..] {
        undo.push_str("; DROP TABLE ");
        undo.push_str(table);
    }
    let undone = sqlx::raw_sql(sqlx::AssertSqlSafe(undo)).execute(&mut connection);
    undone.await.unwrap();
}

async fn a_migration_that_was_cut_off_is_begun_anew(engine: Engine) {
    for (version, made) in [(1, false), (1, true), (2, false), (2, true), (3, true)] {
        let database = Database::create(engine).await;
        cut_off(&database, version, made).await;
        let store = EventStore::connect(&Config::new(database.url())).await;
        assert!(store.unwrap().require_migrated().await.is_err());
        migrate(&database.url()).await.unwrap();
        let store = EventStore::connect(&Config::new(database.url()))
            .await
            .unwrap();
        store.require_migrated().await.unwrap();
        assert_eq!(store.head().await.unwrap().get(), 0);
    }
}

async fn tables_of_a_newer_release_are_good_enough(engine: Engine) {
    let database = Database::create(engine).await;
    migrate(&database.url()).await.unwrap();
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
        VALUES (99, 'later', TRUE, '', 0)";
    let mut connection = database.connection().await;
    sqlx::raw_sql(later).execute(&mut connection).await.unwrap();
    // As a release does that is gone back to.
    migrate(&database.url()).await.unwrap();
    let store = EventStore::connect(&Config::new(database.url())).await;
    store.unwrap().require_migrated().await.unwrap();
}

async fn what_was_used_is_never_removed(engine: Engine) {
    let database = Database::create(engine).await;
    cut_off(&database, 2, true).await;
    let mut connection = database.connection().await;
    sqlx::query("UPDATE log_head SET last_sequence = 7")
        .execute(&mut connection)
        .await
        .unwrap();
    assert!(migrate(&database.url()).await.is_err());
    let kept: u64 = sqlx::query_scalar("SELECT last_sequence FROM log_head")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(kept, 7);
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
