//! The database of a test, and what the log in it holds.

use chrono::{DateTime, Utc};
use command_service::config::Config;
use event_store::migrate;
use sqlx::Row as _;
use sqlx::mysql::MySqlConnection;
use sqlx::{Connection as _, MySql, Transaction};
use test_support::mysql::{Database, Engine};

use crate::service::{Client, Service, soon};

/// A migrated database.
pub(crate) struct Log {
    database: Database,
}

/// A row of `circle_events`.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub(crate) struct Event {
    pub(crate) sequence: u64,
    pub(crate) id: String,
    pub(crate) circle_id: String,
    pub(crate) version: i32,
    pub(crate) event_type: String,
    pub(crate) payload: String,
    pub(crate) metadata: String,
    pub(crate) occurred_at: DateTime<Utc>,
}

impl Log {
    pub(crate) async fn create(engine: Engine) -> Self {
        let database = Database::create(engine).await;
        migrate(&database.url()).await.unwrap();
        Self { database }
    }

    pub(crate) fn config(&self) -> Config {
        Config::new(&self.database.url())
    }

    /// An instance of the service on this log, ready to serve.
    pub(crate) async fn service(&self) -> Service {
        let service = Service::start(self.config());
        service.serving().await;
        service
    }

    pub(crate) async fn connection(&self) -> MySqlConnection {
        self.database.connection().await
    }

    /// The whole log, in its order. Its head and its numbers are checked on the way.
    pub(crate) async fn events(&self) -> Vec<Event> {
        let mut connection = self.connection().await;
        let events: Vec<Event> = sqlx::query_as(
            "SELECT sequence, id, circle_id, version, event_type, \
             CAST(payload AS CHAR) AS payload, CAST(metadata AS CHAR) AS metadata, occurred_at \
             FROM circle_events ORDER BY sequence",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        let head: u64 = sqlx::query_scalar("SELECT last_sequence FROM log_head")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        let sequences: Vec<u64> = events.iter().map(|event| event.sequence).collect();
        assert_eq!(sequences, (1..=head).collect::<Vec<_>>());
        events
    }
}

/// Keeps every append waiting, as a long transaction elsewhere would.
pub(crate) struct HeldHead<'a>(Transaction<'a, MySql>);

impl<'a> HeldHead<'a> {
    pub(crate) async fn take(connection: &'a mut MySqlConnection) -> Self {
        let mut transaction = connection.begin().await.unwrap();
        sqlx::query("SELECT last_sequence FROM log_head WHERE id = 1 FOR UPDATE")
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        Self(transaction)
    }

    pub(crate) async fn release(self) {
        self.0.rollback().await.unwrap();
    }
}

impl Log {
    /// Waits until an append stands before the head, which somebody holds.
    pub(crate) async fn append_waits(&self) {
        let mut connection = self.connection().await;
        soon(async {
            loop {
                let statements = sqlx::query("SHOW FULL PROCESSLIST")
                    .fetch_all(&mut connection)
                    .await
                    .unwrap();
                let waits = statements.iter().any(|row| {
                    let database: Option<String> = row.get("db");
                    let statement: Option<String> = row.get("Info");
                    database.as_deref() == Some(self.database.name())
                        && statement.is_some_and(|text| text.starts_with("UPDATE log_head"))
                });
                if waits {
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// A service on a log of its own, and a client of it.
pub(crate) async fn fresh(engine: Engine) -> (Log, Service, Client) {
    let log = Log::create(engine).await;
    let service = log.service().await;
    let client = service.client().await;
    (log, service, client)
}
