//! A key space of its own for every test on the shared servers, and private
//! servers for tests that kill them.

mod cluster;
pub(crate) mod wire;

use std::thread;
use std::time::{Duration, Instant};

use uuid::Uuid;
use wire::{Address, Wire};

pub use self::cluster::RedisCluster;
use crate::server::{Kind, Server};

/// A lease that a killed test did not give back ends by itself; no test takes
/// that long.
const LEASE: Duration = Duration::from_secs(600);

/// How long to wait for a database while other tests hold all of them.
const PATIENCE: Duration = Duration::from_secs(60);

/// The client numbers databases with one byte.
const MOST_DATABASES: u32 = 256;

/// A kind of server that the read model must work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Redis as Debian ships it.
    Redis,
    /// Its fork.
    Valkey,
}

impl Engine {
    /// The variable that holds the URL of the test server.
    fn variable(self) -> &'static str {
        match self {
            Self::Redis => "CIRCLES_TEST_REDIS_URL",
            Self::Valkey => "CIRCLES_TEST_VALKEY_URL",
        }
    }
}

/// An empty logical database that no other test uses, in this process or
/// another, until this is dropped. Database 0 keeps the leases. Whoever needs a
/// spare one takes two; what a SWAPDB of both swaps is not the leases.
#[derive(Debug)]
pub struct RedisDatabase {
    address: Address,
    number: u32,
    /// None on a private server.
    lease: Option<String>,
}

impl RedisDatabase {
    /// Takes a free database on the test server of this kind and empties it.
    ///
    /// # Panics
    ///
    /// Where there is no such server: a test that needs one fails without it.
    #[must_use]
    pub fn fresh(engine: Engine) -> Self {
        let variable = engine.variable();
        let url = std::env::var(variable)
            .unwrap_or_else(|_| panic!("{variable} is not set: run the tests with `make test`"));
        let address = Address::parse(&url)
            .unwrap_or_else(|| panic!("{variable} must be redis://[[user]:password@]host[:port]"));
        let mut wire = Wire::connect(&address).expect("the Redis test server answers");
        let databases = wire.command(&["CONFIG", "GET", "databases"]);
        let databases: u32 = databases
            .last()
            .and_then(|number| number.parse().ok())
            .expect("the Redis test server tells how many databases it has");
        let usable = databases.min(MOST_DATABASES).saturating_sub(1);
        let id = Uuid::now_v7();
        let lease = id.to_string();
        // Anywhere, so that what a test left running does not write into the
        // database of the one that comes right after it.
        let first = id.as_u64_pair().1 as u32 % usable.max(1);

        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            for n in 0..usable {
                let number = 1 + (first + n) % usable;
                let key = lease_key(number);
                let milliseconds = LEASE.as_millis().to_string();
                let set = ["SET", &key, &lease, "NX", "PX", &milliseconds];
                if wire.command(&set) == ["OK"] {
                    wire.command(&["SELECT", &number.to_string()]);
                    wire.command(&["FLUSHDB"]);
                    return Self {
                        address,
                        number,
                        lease: Some(lease),
                    };
                }
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("all databases of {variable} are leased");
    }

    /// A database of a private server, which nobody else uses anyway.
    ///
    /// # Panics
    ///
    /// Where it is no Redis.
    #[must_use]
    pub fn on(server: &RedisServer, number: u32) -> Self {
        Self {
            address: Address::parse(server.url()).expect("the server is a Redis"),
            number,
            lease: None,
        }
    }

    /// The URL to connect to it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/{}", self.server_url(), self.number)
    }

    /// The URL of its server, without a database.
    #[must_use]
    pub fn server_url(&self) -> String {
        self.address.url()
    }

    /// Which database of the server it is.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Sends one command, for a test to look or meddle behind the scenes. The replies come as
    /// texts; none where the server refuses it, which is printed.
    ///
    /// # Panics
    ///
    /// Where the server does not answer.
    pub fn command(&self, arguments: &[&str]) -> Vec<String> {
        self.connect().command(arguments)
    }

    pub(crate) fn connect(&self) -> Wire {
        let mut wire = Wire::connect(&self.address).expect("the Redis test server answers");
        wire.command(&["SELECT", &self.number.to_string()]);
        wire
    }
}

impl Drop for RedisDatabase {
    fn drop(&mut self) {
        let Some(lease) = &self.lease else { return };
        // Best effort: a server that is gone needs no clean-up, and a lease
        // that has ended may be another test's by now.
        let give_back = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
            redis.call('DEL', KEYS[1]) end";
        if let Ok(mut wire) = Wire::connect(&self.address) {
            // The server may be gone.
            let _ = wire.exchange(&["EVAL", give_back, "1", &lease_key(self.number), lease]);
        }
    }
}

fn lease_key(number: u32) -> String {
    format!("circles-test:lease:{number}")
}

/// A Redis for one test alone, which may kill it.
pub type RedisServer = Server;

impl From<Engine> for Kind {
    fn from(engine: Engine) -> Self {
        Self(match engine {
            Engine::Redis => "redis",
            Engine::Valkey => "valkey",
        })
    }
}

/// Makes a test of each `async fn(Engine)` of each module for every kind of server, in the
/// modules `redis` and `valkey`, so that one kind can be left out by name.
#[macro_export]
macro_rules! on_every_redis {
    ($($module:ident { $($test:ident),+ $(,)? })+) => {
        mod redis {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$module::$test($crate::redis::Engine::Redis).await;
                }
            )+)+
        }
        mod valkey {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$module::$test($crate::redis::Engine::Valkey).await;
                }
            )+)+
        }
    };
}
