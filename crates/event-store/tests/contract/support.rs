//! What the tests say over and over.

use std::pin::Pin;
use std::sync::LazyLock;
use std::task::Poll;
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use event_store::{
    Config, EventStore, Fresh, Outcome, StoredCircle, Submission, SubmitError, Writer,
    WriterOptions, WriterTask, migrate,
};
use shared_domain::{
    Capacity, CircleId, CircleName, Command, EventId, Metadata, Sequence, Version,
};
use sqlx::mysql::{MySql, MySqlConnection};
use sqlx::{Connection as _, Transaction};
use test_support::mysql::{Database, Engine, MySqlServer};
use uuid::Uuid;

/// A migrated database with a store on it.
pub(crate) struct Log {
    pub(crate) database: Database,
    pub(crate) store: EventStore,
}

impl Log {
    pub(crate) async fn create(engine: Engine) -> Self {
        let database = Database::create(engine).await;
        migrate(&database.url()).await.unwrap();
        let store = EventStore::connect(&Config::new(database.url()))
            .await
            .unwrap();
        Self { database, store }
    }

    /// On a server that the test may kill, of which nobody waits long for a connection.
    pub(crate) async fn on_own_server(engine: Engine) -> (MySqlServer, Self) {
        let server = MySqlServer::start(engine);
        let database = Database::create_on(server.url().to_owned()).await;
        migrate(&database.url()).await.unwrap();
        let config = Config {
            acquire_timeout: Duration::from_secs(1),
            ..Config::new(database.url())
        };
        let store = EventStore::connect(&config).await.unwrap();
        (server, Self { database, store })
    }

    pub(crate) fn writer(&self) -> (Writer, WriterTask) {
        Writer::start(self.store.clone(), WriterOptions::default())
    }

    pub(crate) async fn connection(&self) -> MySqlConnection {
        self.database.connection().await
    }

    /// Cuts every connection to this database but the one that cuts.
    pub(crate) async fn cut_other_connections(&self) {
        cut_others(&mut self.connection().await).await;
    }

    /// Every sequence in the log, in its order.
    pub(crate) async fn sequences(&self) -> Vec<u64> {
        let entries = self
            .store
            .read_from(Sequence::ZERO, 1_000_000)
            .await
            .unwrap();
        entries.iter().map(|entry| entry.sequence.get()).collect()
    }
}

pub(crate) fn new_circle() -> CircleId {
    CircleId::from_uuid(Uuid::now_v7())
}

pub(crate) fn create(name: &str, capacity: i64) -> Command {
    Command::Create {
        name: CircleName::new(name).unwrap(),
        capacity: Capacity::new(capacity).unwrap(),
    }
}

pub(crate) fn set_capacity(capacity: i64, expected: Option<i64>) -> Command {
    Command::Update {
        name: None,
        capacity: Some(Capacity::new(capacity).unwrap()),
        expected: expected.map(|version| Version::new(version).unwrap()),
    }
}

/// Columns keep microseconds.
pub(crate) fn now() -> DateTime<Utc> {
    static START: LazyLock<DateTime<Utc>> = LazyLock::new(|| Utc::now().trunc_subsecs(6));
    *START
}

pub(crate) fn submission(circle_id: CircleId, command: Command) -> Submission {
    Submission {
        event_id: EventId::from_uuid(Uuid::now_v7()),
        circle_id,
        command,
        metadata: Metadata::default(),
        occurred_at: now(),
        fresh: Fresh::default(),
        deadline: None,
    }
}

/// Submits a command under a new event id.
pub(crate) async fn submit(
    writer: &Writer,
    circle_id: CircleId,
    command: Command,
) -> Result<Outcome, SubmitError> {
    writer.submit(submission(circle_id, command)).await
}

/// Cuts every connection to the database but this one.
pub(crate) async fn cut_others(connection: &mut MySqlConnection) {
    let others: Vec<u64> = sqlx::query_scalar(
        "SELECT CAST(id AS UNSIGNED) FROM information_schema.processlist \
         WHERE db = DATABASE() AND id <> CONNECTION_ID()",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    assert!(!others.is_empty());
    for id in others {
        // One that has ended by itself can't be cut.
        let _ = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("KILL {id}")))
            .execute(&mut *connection)
            .await;
    }
}

/// Waits until an append waits for the head row, which `connection` holds.
pub(crate) async fn until_head_is_waited_for(connection: &mut MySqlConnection) {
    let waiting = async {
        loop {
            let waiting: i64 = sqlx::query_scalar(
                "SELECT COUNT(*) FROM information_schema.processlist \
                 WHERE db = DATABASE() AND info LIKE 'UPDATE log_head%'",
            )
            .fetch_one(&mut *connection)
            .await
            .unwrap();
            if waiting > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, waiting)
        .await
        .expect("an append");
}

/// Holds the head row, so that no append gets on until this transaction ends.
pub(crate) async fn hold_head(connection: &mut MySqlConnection) -> Transaction<'_, MySql> {
    let mut held = connection.begin().await.unwrap();
    sqlx::query("SELECT last_sequence FROM log_head WHERE id = 1 FOR UPDATE")
        .fetch_one(&mut *held)
        .await
        .unwrap();
    held
}

pub(crate) fn appended(outcome: Result<Outcome, SubmitError>) -> StoredCircle {
    match outcome {
        Ok(Outcome::Appended(stored)) => stored,
        other => panic!("not appended: {other:?}"),
    }
}

/// Polls a future once, which queues a submission. Whether it is ready.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> bool {
    let mut future = Pin::new(future);
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}
