//! A database of its own for every test, on the servers that `make test` starts.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::time::timeout;
use uuid::Uuid;

use crate::server::{Kind, Server, address_in};

/// How long a server may take to forget a database.
const PATIENCE: Duration = Duration::from_secs(10);

/// A kind of server that the log must work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// MariaDB as Debian ships it.
    MariaDb,
    /// MySQL by Oracle.
    MySql,
}

impl Engine {
    /// The variable that holds the URL of the test server.
    fn variable(self) -> &'static str {
        match self {
            Self::MariaDb => "CIRCLES_TEST_MARIADB_URL",
            Self::MySql => "CIRCLES_TEST_MYSQL_URL",
        }
    }
}

/// A MySQL or MariaDB for one test alone, which may kill it.
pub type MySqlServer = Server;

impl From<Engine> for Kind {
    fn from(engine: Engine) -> Self {
        Self(match engine {
            Engine::MariaDb => "mariadb",
            Engine::MySql => "mysql",
        })
    }
}

/// A database that is dropped with this value.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// Creates an empty database on the test server of this kind.
    ///
    /// # Panics
    ///
    /// Where there is no such server: a test that needs one fails without it.
    pub async fn create(engine: Engine) -> Self {
        let variable = engine.variable();
        let server = std::env::var(variable)
            .unwrap_or_else(|_| panic!("{variable} is not set: run the tests with `make test`"));
        Self::create_on(server).await
    }

    /// Creates an empty database on a server.
    ///
    /// # Panics
    ///
    /// Where the server does not let us.
    pub async fn create_on(server: String) -> Self {
        let database = Self {
            name: format!("circles_test_{}", Uuid::now_v7().simple()),
            server,
        };
        database
            .on_server("CREATE DATABASE")
            .await
            .expect("the test server creates databases");
        database
    }

    /// The URL to connect to it.
    #[must_use]
    pub fn url(&self) -> String {
        match self.server.split_once('?') {
            Some((server, options)) => {
                format!("{}/{}?{options}", server.trim_end_matches('/'), self.name)
            }
            None => format!("{}/{}", self.server.trim_end_matches('/'), self.name),
        }
    }

    /// The URL to connect to it by something in between, which leads to [`Self::address`].
    #[must_use]
    pub fn url_by(&self, way: SocketAddr) -> String {
        format!("mysql://root@{way}/{}?ssl-mode=DISABLED", self.name)
    }

    /// Where its server listens.
    ///
    /// # Panics
    ///
    /// Where the server's URL has no port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        address_in(&self.server)
    }

    /// Its name on the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection, for a test to look behind the scenes.
    ///
    /// # Panics
    ///
    /// Where the server can't be reached.
    pub async fn connection(&self) -> MySqlConnection {
        MySqlConnection::connect(&self.url())
            .await
            .expect("the test database answers")
    }

    /// Lets one more user in who may do everything with it, until [`Self::forbid`].
    ///
    /// # Panics
    ///
    /// Where the server does not let us.
    pub async fn allow(&self, user: &str, password: &str) {
        let mut connection = self.connection().await;
        for statement in [
            format!("CREATE USER {user} IDENTIFIED BY '{password}'"),
            format!("GRANT ALL ON {}.* TO {user}", self.name),
        ] {
            let done = connection.execute(AssertSqlSafe(statement)).await;
            done.expect("the test server makes users");
        }
    }

    /// Forgets that user.
    ///
    /// # Panics
    ///
    /// Where there is none.
    pub async fn forbid(&self, user: &str) {
        let statement = AssertSqlSafe(format!("DROP USER {user}"));
        let done = self.connection().await.execute(statement).await;
        done.expect("there is such a user");
    }

    async fn on_server(&self, what: &str) -> Result<(), sqlx::Error> {
        let mut connection = MySqlConnection::connect(&self.server).await?;
        connection
            .execute(AssertSqlSafe(format!("{what} {}", self.name)))
            .await?;
        connection.close().await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A thread of its own, as a runtime can't wait inside another one. A server that is gone
        // by now has taken the database with it; one that is stopped is not waited for.
        thread::scope(|scope| {
            scope.spawn(|| {
                if let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                {
                    let dropped =
                        async { timeout(PATIENCE, self.on_server("DROP DATABASE")).await };
                    let _ = runtime.block_on(dropped);
                }
            });
        });
    }
}

/// Makes a test of each `async fn(Engine)` for every kind of server, in the modules
/// `mariadb` and `mysql`, so that one kind can be left out by name.
#[macro_export]
macro_rules! on_every_engine {
    ($($test:ident),* $(,)?) => {
        mod mariadb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::mysql::Engine::MariaDb).await;
            })*
        }
        mod mysql {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::mysql::Engine::MySql).await;
            })*
        }
    };
}
