//! A read model to try, and what looks behind its scenes.

use std::future::Future;
use std::time::{Duration, Instant};

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::Config as PeekConfig;
use fred::types::{Builder, CustomCommand, FromValue, Value};
use read_model::{
    Batch, Checkpoint, Config, Connection, Document, Follower, HistoryEntry, ListQuery, Outcome,
    Page, ParkedEvent, Partition, Phase, Reader, Standing,
};
use shared_domain::CircleId;
use test_support::redis::{Engine, RedisCluster, RedisDatabase, RedisServer};

use crate::world::World;

/// What a condition has to come true. Much more than any needs.
const DEADLINE: Duration = Duration::from_secs(20);

/// How many partitions there are in those tests that try more than one.
pub(crate) const PARTITIONS: [u16; 2] = [1, 4];

/// A read model on a server of type `S`, and the world that it should show.
pub(crate) struct Rig<S> {
    pub(crate) server: S,
    pub(crate) url: String,
    pub(crate) connection: Connection,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) reader: Reader,
    pub(crate) world: World,
}

/// An empty, built read model in a database of the shared server.
pub(crate) async fn shared(engine: Engine) -> Rig<RedisDatabase> {
    spread(engine, 1).await
}

/// The same, over so many partitions.
pub(crate) async fn spread(engine: Engine, partitions: u16) -> Rig<RedisDatabase> {
    let rig = unbuilt(engine, partitions);
    rig.build().await;
    rig
}

/// A database of the shared server without a read model.
pub(crate) fn unbuilt(engine: Engine, partitions: u16) -> Rig<RedisDatabase> {
    let server = RedisDatabase::fresh(engine);
    let url = server.url();
    Rig::new(server, url, partitions)
}

/// An empty, built read model on a server of its own.
pub(crate) async fn private(engine: Engine) -> Rig<RedisServer> {
    private_spread(engine, 1).await
}

/// The same, over so many partitions.
pub(crate) async fn private_spread(engine: Engine, partitions: u16) -> Rig<RedisServer> {
    on(RedisServer::start(engine), partitions).await
}

/// An empty, built read model on a server of its own, which loses nothing when
/// it is killed.
pub(crate) async fn durable(engine: Engine) -> Rig<RedisServer> {
    let arguments = ["--appendfsync", "always"];
    on(RedisServer::start_with(engine, &arguments), 1).await
}

async fn on(server: RedisServer, partitions: u16) -> Rig<RedisServer> {
    let url = server.url().to_owned();
    let rig = Rig::new(server, url, partitions);
    rig.build().await;
    rig
}

/// An empty, built read model on a cluster of its own, which may take so long
/// for a command.
pub(crate) async fn clustered(engine: Engine, patience: Duration) -> Rig<RedisCluster> {
    let server = RedisCluster::start_with(engine, &["--cluster-require-full-coverage", "no"]);
    let url = server.url();
    let mut config = config(&url);
    config.command_timeout = patience;
    config.partitions = 8;
    let rig = Rig::with(server, url, &config);
    in_time("it connects", rig.connection.connected())
        .await
        .unwrap();
    rig.build().await;
    rig
}

/// A configuration that does not keep a test of an outage waiting.
pub(crate) fn config(url: &str) -> Config {
    let mut config = Config::new(url);
    config.command_timeout = Duration::from_secs(1);
    config
}

/// Builds the partition of the empty log.
pub(crate) async fn build(partition: &Partition) {
    let building = partition.begin(None, "test").await.unwrap().unwrap();
    assert_eq!(building.phase, Phase::Building);
    let mut batch = Batch::new(Checkpoint::EMPTY);
    batch.completes = true;
    let outcome = partition.apply(&building, &batch).await;
    assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
}

impl<S> Rig<S> {
    fn new(server: S, url: String, partitions: u16) -> Self {
        let mut config = config(&url);
        config.partitions = partitions;
        Self::with(server, url, &config)
    }

    fn with(server: S, url: String, config: &Config) -> Self {
        let connection = Connection::open(config).unwrap();
        Self {
            server,
            url,
            partitions: read_model::partitions(&connection),
            reader: Reader::new(connection.clone()),
            connection,
            world: World::empty(),
        }
    }

    /// The first partition, and the only one in most tests.
    pub(crate) fn partition(&self) -> &Partition {
        &self.partitions[0]
    }

    pub(crate) async fn build(&self) {
        for partition in &self.partitions {
            build(partition).await;
        }
    }

    /// The standing of the first partition.
    pub(crate) async fn standing(&self) -> Standing {
        self.partition().standing().await.unwrap().unwrap()
    }

    /// Brings what happened in the world into the read model.
    pub(crate) async fn catch_up(&mut self) {
        let batches = self.world.batches(self.connection.layout());
        for (partition, batch) in self.partitions.iter().zip(&batches) {
            let standing = partition.standing().await.unwrap().unwrap();
            let outcome = partition.apply(&standing, batch).await;
            assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
        }
    }

    /// The circles as a projector finds them, which looks at the ends of their histories.
    pub(crate) async fn latest(&self, ids: &[CircleId]) -> Vec<Option<Document>> {
        let latest = self.partition().latest(ids).await.unwrap();
        let circle = |(id, entry): (&CircleId, Option<HistoryEntry>)| entry?.document(*id);
        ids.iter().zip(latest).map(circle).collect()
    }

    /// The circles that are parked, by id.
    pub(crate) async fn parked(&self) -> Vec<(CircleId, ParkedEvent)> {
        let mut parked = Vec::new();
        for partition in &self.partitions {
            parked.extend(partition.parked().await.unwrap());
        }
        parked.sort_by_key(|(id, _)| *id);
        parked
    }

    /// Leaves what happened in the world out of the next batch.
    pub(crate) fn forget_pending(&mut self) {
        self.world.batches(self.connection.layout());
    }

    /// Reads a list to its end, page by page.
    pub(crate) async fn walk(&self, query: &ListQuery) -> Vec<Document> {
        let mut query = query.clone();
        let mut listed = Vec::new();
        loop {
            let Page {
                documents, next, ..
            } = self.reader.list(&query).await.unwrap();
            assert!(documents.len() <= query.limit as usize);
            listed.extend(documents);
            assert!(listed.len() < 100_000, "the list does not end");
            match next {
                Some(next) => query.after = Some(next),
                None => return listed,
            }
        }
    }

    pub(crate) fn follow(&self) -> Follower {
        Follower::start(self.connection.clone()).unwrap()
    }

    /// A bare client, to see and to damage what is stored.
    pub(crate) async fn peek(&self) -> Peek {
        Peek::at(&self.url).await
    }
}

pub(crate) struct Peek(Client);

impl Peek {
    pub(crate) async fn at(url: &str) -> Self {
        let config = PeekConfig::from_url(url).unwrap();
        let client = Builder::from_config(config).build().unwrap();
        client.init().await.unwrap();
        Self(client)
    }

    /// Sends a command of one word and its arguments.
    pub(crate) async fn send<T: FromValue>(&self, command: &'static str, arguments: &[&str]) -> T {
        let command = CustomCommand::new_static(command, None, false);
        let arguments: Vec<Value> = arguments.iter().map(|text| Value::from(*text)).collect();
        self.0.custom(command, arguments).await.unwrap()
    }

    pub(crate) async fn count_keys(&self) -> usize {
        self.send("DBSIZE", &[]).await
    }

    /// How often each command was called since the last call of this, whoever
    /// called it, without those that look and that set up connections.
    pub(crate) async fn take_calls(&self) -> Vec<(String, u64)> {
        let stats: String = self.send("INFO", &["commandstats"]).await;
        let () = self.send("CONFIG", &["RESETSTAT"]).await;
        let silent = [
            "info",
            "config|resetstat",
            "ping",
            "select",
            "client|id",
            "client|setname",
        ];
        let mut calls: Vec<_> = stats
            .lines()
            .filter_map(|line| {
                let (command, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
                let (calls, _) = figures.split_once(',')?;
                Some((command.to_owned(), calls.parse().unwrap()))
            })
            .filter(|(command, _)| !silent.contains(&command.as_str()))
            .collect();
        calls.sort();
        calls
    }
}

impl Drop for Peek {
    fn drop(&mut self) {
        let client = self.0.clone();
        tokio::spawn(async move { client.quit().await });
    }
}

/// Tries until the condition holds.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < DEADLINE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits for a future that must end.
pub(crate) async fn in_time<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("in vain: {what}"),
    }
}
