//! The service in this process, and its log.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use command_service::config::Config;
use event_store::migrate;
use service_kit::server;
use test_support::mysql::{Database, Engine};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// Much longer than anything here takes, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A migrated database.
pub(crate) struct Log(Database);

impl Log {
    pub(crate) async fn create(engine: Engine) -> Self {
        let database = Database::create(engine).await;
        migrate(&database.url()).await.unwrap();
        Self(database)
    }

    /// Name and capacity of all circles that were created, in the order of the log.
    pub(crate) async fn created(&self) -> Vec<(String, i64)> {
        sqlx::query_as(
            "SELECT CAST(JSON_UNQUOTE(JSON_EXTRACT(payload, '$.name')) AS CHAR), \
             CAST(JSON_EXTRACT(payload, '$.capacity') AS SIGNED) \
             FROM circle_events WHERE event_type = 'CircleCreated' ORDER BY sequence",
        )
        .fetch_all(&mut self.0.connection().await)
        .await
        .unwrap()
    }

    /// Waits until so many circles were created.
    pub(crate) async fn has_created(&self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut connection = self.0.connection().await;
        loop {
            let created: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM circle_events")
                .fetch_one(&mut connection)
                .await
                .unwrap();
            if created >= i64::try_from(count).unwrap() {
                return;
            }
            assert!(Instant::now() < deadline, "the import does not go on");
            tokio::task::yield_now().await;
        }
    }
}

/// A running service, on a thread and a runtime of its own, as a process would have them.
pub(crate) struct Service {
    address: SocketAddr,
    /// Told how to end; without a word it crashes.
    end: oneshot::Sender<End>,
    thread: JoinHandle<()>,
}

#[derive(Debug)]
enum End {
    InGoodOrder,
    Crash,
}

impl Service {
    pub(crate) fn start(log: &Log) -> Self {
        Self::start_at(log, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    pub(crate) fn start_at(log: &Log, address: SocketAddr) -> Self {
        Self::start_with(log, address, server::Options::default())
    }

    pub(crate) fn start_with(log: &Log, address: SocketAddr, server: server::Options) -> Self {
        let config = Config {
            server,
            ..Config::new(&log.0.url())
        };
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (end, told) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let (drain, told_to_drain) = oneshot::channel::<()>();
                let shutdown = async { drop(told_to_drain.await) };
                let mut running = pin!(command_service::run(config, listener, shutdown));
                tokio::select! {
                    ended = &mut running => panic!("it ends by itself: {ended:?}"),
                    end = told => if let Ok(End::InGoodOrder) = end {
                        drop(drain);
                        running.await.unwrap();
                    },
                }
            });
        });
        Self {
            address,
            end,
            thread,
        }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Cuts off everything that it does.
    pub(crate) fn crash(self) {
        self.ends(End::Crash);
    }

    /// Crashes, and another one starts in its place.
    pub(crate) fn crash_and_restart(self, log: &Log) -> Self {
        let address = self.address;
        self.crash();
        Self::start_at(log, address)
    }

    /// Ends in good order, and another one starts in its place.
    pub(crate) fn restart(self, log: &Log) -> Self {
        let address = self.address;
        self.ends(End::InGoodOrder);
        Self::start_at(log, address)
    }

    fn ends(self, end: End) {
        self.end.send(end).unwrap();
        self.thread.join().unwrap();
    }
}
