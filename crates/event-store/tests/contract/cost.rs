//! What a command costs, counted in statements: times would depend on the machine.

use event_store::{Config, EventStore, Fresh, Outcome, Writer, WriterOptions, migrate};
use shared_domain::CircleId;
use sqlx::mysql::MySqlConnection;
use test_support::mysql::{Database, Engine, MySqlServer};
use test_support::on_every_engine;

use crate::support::{appended, create, hold_head, new_circle, set_capacity, submission, submit};

on_every_engine!(statements_are_counted);

/// BEGIN, take the head, look, insert, COMMIT.
const BATCH: u64 = 5;

/// A server of its own, as the counter is the server's.
struct Counted {
    store: EventStore,
    writer: Writer,
    connection: MySqlConnection,
    database: Database,
    _server: MySqlServer,
}

impl Counted {
    async fn start(engine: Engine) -> Self {
        let server = MySqlServer::start(engine);
        let database = Database::create_on(server.url().to_owned()).await;
        migrate(&database.url()).await.unwrap();
        let store = EventStore::connect(&Config::new(database.url()))
            .await
            .unwrap();
        // No snapshot may come in between.
        let options = WriterOptions {
            snapshot_interval: 1_000_000,
            ..Default::default()
        };
        let (writer, _) = Writer::start(store.clone(), options);
        let connection = database.connection().await;
        Self {
            store,
            writer,
            connection,
            database,
            _server: server,
        }
    }

    /// How many statements the server has executed, without those of this question.
    async fn statements(&mut self) -> u64 {
        let (_, count): (String, String) = sqlx::query_as("SHOW GLOBAL STATUS LIKE 'Questions'")
            .fetch_one(&mut self.connection)
            .await
            .unwrap();
        count.parse().unwrap()
    }

    async fn update(&self, id: CircleId, capacity: i64, fresh: Fresh) {
        let mut update = submission(id, set_capacity(capacity, None));
        update.fresh = fresh;
        appended(self.writer.submit(update).await);
    }
}

async fn statements_are_counted(engine: Engine) {
    let mut counted = Counted::start(engine).await;
    let id = new_circle();
    appended(submit(&counted.writer, id, create("football", 20)).await);
    // The second question is in the count of the third.
    counted.statements().await;
    let question = {
        let before = counted.statements().await;
        counted.statements().await - before
    };

    // A creation reads nothing beforehand, and neither does an update of a warm circle.
    let before = counted.statements().await;
    for _ in 0..10 {
        appended(submit(&counted.writer, new_circle(), create("tennis", 20)).await);
    }
    let creations = counted.statements().await - before - question;
    assert_eq!(creations, 10 * BATCH);
    // Of ids that were made for it alone it need not even ask.
    let before = counted.statements().await;
    for _ in 0..10 {
        let mut fresh = submission(new_circle(), create("tennis", 20));
        fresh.fresh = Fresh {
            event: true,
            circle: true,
        };
        appended(counted.writer.submit(fresh).await);
    }
    let creations = counted.statements().await - before - question;
    assert_eq!(creations, 10 * (BATCH - 1));
    // Nor about a circle that nobody else can have changed.
    let fresh = Fresh {
        event: true,
        circle: false,
    };
    let before = counted.statements().await;
    for n in 0..10 {
        counted.update(id, 30 + n, fresh).await;
    }
    let updates = counted.statements().await - before - question;
    assert_eq!(updates, 10 * (BATCH - 1));
    // It asks about the ids that clients choose, and about all circles when somebody else has
    // appended.
    let before = counted.statements().await;
    for n in 0..10 {
        counted.update(id, 50 + n, Fresh::default()).await;
    }
    let updates = counted.statements().await - before - question;
    assert_eq!(updates, 10 * BATCH);
    let (replica, _task) = Writer::start(counted.store.clone(), WriterOptions::default());
    appended(submit(&replica, new_circle(), create("kendo", 20)).await);
    let before = counted.statements().await;
    for n in 0..10 {
        counted.update(id, 70 + n, fresh).await;
    }
    let updates = counted.statements().await - before - question;
    assert_eq!(updates, BATCH + 9 * (BATCH - 1));

    // What comes together shares the statements: these 100 make at most one batch before the
    // head is held, and one after.
    let before = counted.statements().await;
    let mut other = counted.database.connection().await;
    let held = hold_head(&mut other).await;
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let writer = counted.writer.clone();
            tokio::spawn(async move { submit(&writer, new_circle(), create("judo", 20)).await })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    held.rollback().await.unwrap();
    for call in calls {
        assert!(matches!(call.await.unwrap(), Ok(Outcome::Appended(_))));
    }
    let together = counted.statements().await - before - question;
    // Far fewer than for each by itself, whatever else the connections say.
    assert!(together <= 4 * BATCH + 10, "{together} statements");
}
