//! A log, a read model, a crowd of commands, and a judge.

use std::time::Duration;

use chrono::Utc;
use event_store::{
    Config, EventStore, Fresh, Outcome, StoredCircle, Submission, Writer, WriterOptions, migrate,
};
use projector::{Projector, Step};
use read_model::{Connection, Projection, Reader};
use shared_domain::{Capacity, CircleId, CircleName, Command, EventId, Metadata};
use sqlx::mysql::MySqlConnection;
use test_support::judge;
use test_support::mysql::{Database, Engine};
use test_support::redis::{self, RedisDatabase};
use uuid::Uuid;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) store: EventStore,
    pub(crate) writer: Writer,
    pub(crate) redis: RedisDatabase,
    pub(crate) connection: Connection,
}

impl World {
    pub(crate) async fn create(engine: Engine) -> Self {
        let database = Database::create(engine).await;
        migrate(&database.url()).await.unwrap();
        let store = EventStore::connect(&Config::new(database.url()))
            .await
            .unwrap();
        let (writer, _) = Writer::start(store.clone(), WriterOptions::default());
        let redis = RedisDatabase::fresh(redis::Engine::Redis);
        let connection = Connection::open(&read_model::Config::new(redis.url())).unwrap();
        connection.connected().await.unwrap();
        Self {
            database,
            store,
            writer,
            redis,
            connection,
        }
    }

    /// A projector as another process would have it.
    pub(crate) fn projector(&self, batch: u32) -> Projector {
        Projector::new(
            self.store.clone(),
            Projection::new(self.connection.clone()),
            batch,
        )
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::new(self.connection.clone())
    }

    pub(crate) async fn sql(&self) -> MySqlConnection {
        self.database.connection().await
    }

    /// Runs SQL behind everybody's back.
    pub(crate) async fn tamper(&self, sql: &'static str) {
        sqlx::raw_sql(sql)
            .execute(&mut self.sql().await)
            .await
            .unwrap();
    }

    pub(crate) async fn command(&self, circle_id: CircleId, command: Command) -> Outcome {
        let submission = Submission {
            event_id: EventId::from_uuid(Uuid::now_v7()),
            circle_id,
            command,
            metadata: Metadata::default(),
            occurred_at: Utc::now(),
            fresh: Fresh::default(),
        };
        self.writer.submit(submission).await.unwrap()
    }

    pub(crate) async fn create_circle(&self, name: &str) -> (CircleId, StoredCircle) {
        let id = CircleId::from_uuid(Uuid::now_v7());
        match self.command(id, create(name)).await {
            Outcome::Appended(stored) => (id, stored),
            other => panic!("{other:?}"),
        }
    }

    /// Creates, changes and deletes circles until there are about so many events.
    pub(crate) async fn crowd(&self, events: usize) {
        const CIRCLES: usize = 7;
        let mut circles: Vec<CircleId> = Vec::new();
        for n in 0..events {
            if circles.len() < CIRCLES || n % 11 == 0 {
                circles.push(self.create_circle(&format!("circle {}", n % 5)).await.0);
                continue;
            }
            let id = circles[(n * 7) % circles.len()];
            if n % 13 == 0 {
                self.command(
                    id,
                    Command::Delete {
                        reason: None,
                        expected: None,
                    },
                )
                .await;
                circles.retain(|circle| *circle != id);
            } else {
                self.command(id, update(&format!("circle {}", n % 9), 3 + n as i64))
                    .await;
            }
        }
    }

    /// Steps until nothing is left, and tells how many events were applied.
    pub(crate) async fn catch_up(&self, projector: &mut Projector) -> usize {
        let mut applied = 0;
        let all = async {
            loop {
                match projector.step().await.unwrap() {
                    Step::Applied { events, .. } => applied += events,
                    Step::Superseded => {}
                    Step::Idle { checkpoint } => {
                        if checkpoint == self.store.head().await.unwrap() {
                            break;
                        }
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, all)
            .await
            .expect("the projector catches up");
        applied
    }

    /// Empties Redis behind everybody's back.
    pub(crate) fn flush_redis(&self) {
        self.redis.command(&["FLUSHDB"]);
    }

    /// Puts an older version of a circle's document back, behind everybody's back.
    pub(crate) async fn forget_version(&self, id: CircleId) {
        let key = format!("circle:{id}");
        let document = self.reader().get(id).await.unwrap().value.unwrap();
        let version = format!("\"version\":{}", document.version);
        let stored = self.redis.command(&["GET", &key]).remove(0);
        assert!(stored.contains(&version));
        self.redis
            .command(&["SET", &key, &stored.replace(&version, "\"version\":99")]);
    }

    /// Holds the read models against the log.
    pub(crate) async fn assert_consistent(&self) {
        judge::assert_consistent(&self.database, &self.redis).await;
    }
}

pub(crate) fn create(name: &str) -> Command {
    Command::Create {
        name: CircleName::new(name).unwrap(),
        capacity: Capacity::new(20).unwrap(),
    }
}

pub(crate) fn update(name: &str, capacity: i64) -> Command {
    Command::Update {
        name: Some(CircleName::new(name).unwrap()),
        capacity: Some(Capacity::new(capacity).unwrap()),
        expected: None,
    }
}
