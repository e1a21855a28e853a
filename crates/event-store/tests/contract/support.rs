//! What the tests say over and over.

use std::sync::LazyLock;

use chrono::{DateTime, SubsecRound as _, Utc};
use event_store::{
    Config, EventStore, Outcome, StoredCircle, Submission, SubmitError, Writer, WriterOptions,
    WriterTask, migrate,
};
use shared_domain::{
    Capacity, CircleId, CircleName, Command, EventId, Metadata, Sequence, Version,
};
use sqlx::mysql::MySqlConnection;
use test_support::mysql::{Database, Engine};
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

    pub(crate) fn writer(&self) -> (Writer, WriterTask) {
        Writer::start(self.store.clone(), WriterOptions::default())
    }

    pub(crate) async fn connection(&self) -> MySqlConnection {
        self.database.connection().await
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

pub(crate) fn submission(circle_id: CircleId, command: Command, basis: StoredCircle) -> Submission {
    Submission {
        event_id: EventId::from_uuid(Uuid::now_v7()),
        circle_id,
        command,
        basis,
        metadata: Metadata::default(),
        occurred_at: now(),
    }
}

/// Submits on the present state until the answer is not [`Outcome::Stale`].
pub(crate) async fn settle(
    store: &EventStore,
    writer: &Writer,
    circle_id: CircleId,
    command: Command,
) -> Result<Outcome, SubmitError> {
    loop {
        let basis = store.load(circle_id).await.unwrap();
        let outcome = writer
            .submit(submission(circle_id, command.clone(), basis))
            .await?;
        if outcome != Outcome::Stale {
            return Ok(outcome);
        }
    }
}

pub(crate) fn appended(outcome: Result<Outcome, SubmitError>) -> StoredCircle {
    match outcome {
        Ok(Outcome::Appended(stored)) => stored,
        other => panic!("not appended: {other:?}"),
    }
}
