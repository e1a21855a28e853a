//! A log, a read model, a crowd of commands, and a judge.

use std::time::Duration;

use chrono::Utc;
use event_store::{
    Config, EventStore, Fresh, Outcome, StoredCircle, Submission, Writer, WriterOptions, migrate,
};
use futures_util::stream::{self, StreamExt as _};
use projector::{Options, Projector, Step};
use read_model::{Connection, partitions};
use shared_domain::{Capacity, CircleId, CircleName, Command, EventId, Metadata};
use sqlx::mysql::MySqlConnection;
use test_support::judge::{self, Options as Circumstances};
use test_support::mysql::{Database, Engine};
use test_support::proxy::Proxy;
use test_support::redis::{self, RedisDatabase};
use uuid::Uuid;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) store: EventStore,
    pub(crate) writer: Writer,
    pub(crate) redis: RedisDatabase,
    pub(crate) connection: Connection,
    partitions: u16,
    /// How many changes the projectors keep.
    pub(crate) changes_kept: u32,
}

impl World {
    pub(crate) async fn create(engine: Engine) -> Self {
        Self::spread(engine, 1).await
    }

    /// With the read models spread over so many partitions.
    pub(crate) async fn spread(engine: Engine, partitions: u16) -> Self {
        let database = Database::create(engine).await;
        migrate(&database.url()).await.unwrap();
        let store = EventStore::connect(&Config::new(database.url()))
            .await
            .unwrap();
        let (writer, _) = Writer::start(store.clone(), WriterOptions::default());
        let redis = RedisDatabase::fresh(redis::Engine::Redis);
        let mut config = read_model::Config::new(redis.url());
        config.partitions = partitions;
        let connection = Connection::open(&config).unwrap();
        connection.connected().await.unwrap();
        Self {
            database,
            store,
            writer,
            redis,
            connection,
            partitions,
            changes_kept: read_model::CHANGES_KEPT,
        }
    }

    /// A projector as another process would have it.
    pub(crate) fn projector(&self, batch: u32) -> Projector {
        // The services gather small logs in memory; here, all are read circle by circle.
        self.gathering(batch, 0)
    }

    /// The same, with so many events that it may gather in memory.
    pub(crate) fn gathering(&self, batch: u32, in_memory: u64) -> Projector {
        self.reading(self.store.clone(), batch, in_memory)
    }

    /// The same, on another way to the log.
    pub(crate) fn reading(&self, log: EventStore, batch: u32, in_memory: u64) -> Projector {
        let partitions = partitions(&self.connection)
            .into_iter()
            .map(|partition| partition.keeping(self.changes_kept))
            .collect();
        let options = Options {
            holder: Uuid::now_v7().to_string(),
            batch,
            completes: true,
            in_memory,
        };
        Projector::new(log, partitions, self.connection.layout(), options)
    }

    /// What is stored at `circle:{id}`.
    pub(crate) fn document(&self, id: CircleId) -> Option<String> {
        self.redis.command(&["GET", &format!("circle:{id}")]).pop()
    }

    /// The log by a way to it that can be spoiled.
    pub(crate) async fn log_by_a_way(&self) -> (Proxy, EventStore) {
        let way = Proxy::start(self.database.address());
        let log = Config::new(self.database.url_by(way.address()));
        (way, EventStore::connect(&log).await.unwrap())
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
            deadline: None,
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

    /// Creates so many circles, many at once.
    pub(crate) async fn create_circles(&self, circles: usize) {
        stream::iter(0..circles)
            .map(|_| self.create_circle("one of many"))
            .buffer_unordered(500)
            .for_each(async |_| ())
            .await;
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
                    Step::Filled { events } => applied += events,
                    Step::Superseded | Step::Rewound { .. } => {}
                    Step::Idle { checkpoint } => {
                        let head = self.store.head().await.unwrap();
                        if checkpoint == head && !projector.is_building() {
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

    /// Steps until the projector has noticed that Redis lost something, then until nothing is
    /// left.
    pub(crate) async fn catch_up_with_redis(&self, projector: &mut Projector) {
        let noticed = async {
            while projector.step().await.unwrap() != Step::Superseded {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, noticed)
            .await
            .expect("the projector notices");
        self.catch_up(projector).await;
    }

    /// Empties Redis behind everybody's back.
    pub(crate) fn flush_redis(&self) {
        self.redis.command(&["FLUSHDB"]);
    }

    /// A copy of everything in Redis.
    pub(crate) fn dump(&self) -> RedisDatabase {
        let copy = RedisDatabase::fresh(redis::Engine::Redis);
        transfer(&self.redis, &copy);
        copy
    }

    /// Puts a copy in the place of everything in Redis.
    pub(crate) fn put_back(&self, copy: &RedisDatabase) {
        self.flush_redis();
        transfer(copy, &self.redis);
    }

    /// Holds the read models against the log.
    pub(crate) async fn assert_consistent(&self) {
        self.assert_consistent_with(|circumstances| circumstances)
            .await;
    }

    /// The same, under circumstances that are not the usual ones.
    pub(crate) async fn assert_consistent_with(
        &self,
        change: impl FnOnce(Circumstances) -> Circumstances,
    ) {
        let mut circumstances = Circumstances::default();
        if self.partitions > 1 {
            circumstances = circumstances.partitions(self.partitions);
        }
        let circumstances = change(circumstances);
        judge::assert_consistent_with(&self.database, &self.redis, &circumstances).await;
    }

    /// Takes the log back, with everything that it has after a sequence, as a server does that
    /// had not got it when it took over.
    pub(crate) async fn lose_tail(&self, after: u64) {
        let mut sql = self.sql().await;
        for statement in [
            "DELETE FROM circle_events WHERE sequence > ?",
            "UPDATE log_head SET last_sequence = ?",
            "DELETE FROM circle_snapshots WHERE sequence > ?",
        ] {
            sqlx::query(statement)
                .bind(after)
                .execute(&mut sql)
                .await
                .unwrap();
        }
    }

    /// Appends an update as a newer program would, under a type that is not known here.
    pub(crate) async fn append_unknown(&self, id: CircleId, version: i32) {
        let mut sql = self.sql().await;
        let mut append = sqlx::Connection::begin(&mut sql).await.unwrap();
        sqlx::query("UPDATE log_head SET last_sequence = last_sequence + 1 WHERE id = 1")
            .execute(&mut *append)
            .await
            .unwrap();
        sqlx::query(
            "INSERT INTO circle_events \
             SELECT last_sequence, ?, ?, ?, 'CirclePainted', \
                 '{\"type\":\"circle_updated\",\"capacity\":30}', '{}', UTC_TIMESTAMP(6) \
             FROM log_head",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(id.to_string())
        .bind(version)
        .execute(&mut *append)
        .await
        .unwrap();
        append.commit().await.unwrap();
    }

    /// A writer that knows nothing of what was.
    pub(crate) fn forgetful_writer(&mut self) {
        self.writer = Writer::start(self.store.clone(), WriterOptions::default()).0;
    }
}

fn transfer(from: &RedisDatabase, to: &RedisDatabase) {
    let number = to.number().to_string();
    for key in from.command(&["KEYS", "*"]) {
        from.command(&["COPY", &key, &key, "DB", &number]);
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
