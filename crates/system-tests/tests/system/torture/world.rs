//! Everything that can be killed, and the ways between.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use circles_proto::circles::v1::circle_command_service_client::CircleCommandServiceClient;
use circles_proto::circles::v1::circle_query_service_client::CircleQueryServiceClient;
use test_support::mysql::{Database, Engine, MySqlServer};
use test_support::process::Service;
use test_support::proxy::Proxy;
use test_support::redis::{self, RedisDatabase, RedisServer};
use tonic::transport::{Channel, Endpoint};

use super::client::Ways;
use crate::support::{ANY_PORT, LEASE};

/// How long a client's connection may be silent before it counts as lost.
const SILENCE: Duration = Duration::from_secs(1);

/// The servers, the processes, and a proxy on each way.
pub(crate) struct World {
    // The order is that in which they end.
    pub(crate) nodes: Vec<Mutex<Node>>,
    pub(crate) links: Vec<Link>,
    pub(crate) read_models: RedisDatabase,
    pub(crate) log: Database,
    pub(crate) redis: RedisServer,
    pub(crate) mysql: MySqlServer,
    commands: Vec<SocketAddr>,
    queries: Vec<SocketAddr>,
}

/// A way from one program to another.
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) proxy: Arc<Proxy>,
}

/// A process, which can be started again.
pub(crate) struct Node {
    pub(crate) name: String,
    program: &'static str,
    settings: Vec<(&'static str, String)>,
    log: PathBuf,
    /// What its clients reach it by.
    front: Option<Arc<Proxy>>,
    /// The one that runs.
    pub(crate) service: Service,
}

impl Node {
    /// Starts it again; the one before has ended.
    pub(crate) fn start_again(&mut self) {
        self.service = start(self.program, &self.settings, &self.log);
        self.lead();
    }

    fn lead(&self) {
        if let Some(front) = &self.front {
            front.lead_to(self.service.address());
        }
    }
}

fn start(program: &'static str, settings: &[(&'static str, String)], log: &Path) -> Service {
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Service::start_logging_to(log, program, &settings)
}

impl World {
    /// Starts all of it; what the processes log goes to this folder.
    pub(crate) async fn start(engine: Engine, folder: &Path) -> Self {
        let mysql = MySqlServer::start(engine);
        let redis = RedisServer::start_with(redis::Engine::Redis, &["--appendfsync", "always"]);
        let log = Database::create_on(mysql.url().to_owned()).await;
        let read_models = RedisDatabase::on(&redis, 0);
        let mut world = Self {
            nodes: Vec::new(),
            links: Vec::new(),
            commands: Vec::new(),
            queries: Vec::new(),
            read_models,
            log,
            redis,
            mysql,
        };
        for n in 0..2 {
            world.add_command_service(n, folder);
            world.add_projector(n, folder);
            world.add_query_service(n, folder);
        }
        world
    }

    fn add_command_service(&mut self, n: usize, folder: &Path) {
        let name = format!("command-service-{n}");
        let settings = vec![
            ("CIRCLES_MYSQL_URL", self.way_to_mysql(&name)),
            ("CIRCLES_MIGRATE_AT_START", "true".to_owned()),
            ("CIRCLES_COMMAND_LISTEN", ANY_PORT.to_owned()),
        ];
        let address = self.add_node(name, "command-service", settings, folder, true);
        self.commands.extend(address);
    }

    fn add_query_service(&mut self, n: usize, folder: &Path) {
        let name = format!("query-service-{n}");
        let settings = vec![
            ("CIRCLES_REDIS_URL", self.way_to_redis(&name)),
            ("CIRCLES_QUERY_LISTEN", ANY_PORT.to_owned()),
        ];
        let address = self.add_node(name, "query-service", settings, folder, true);
        self.queries.extend(address);
    }

    fn add_projector(&mut self, n: usize, folder: &Path) {
        let name = format!("projector-{n}");
        let settings = vec![
            ("CIRCLES_MYSQL_URL", self.way_to_mysql(&name)),
            ("CIRCLES_REDIS_URL", self.way_to_redis(&name)),
            ("CIRCLES_REDIS_SPARE_DATABASE", "15".to_owned()),
            ("CIRCLES_PROJECTOR_LISTEN", ANY_PORT.to_owned()),
            // Small pages, so that there are many moments to be killed in.
            ("CIRCLES_PROJECTOR_BATCH", "7".to_owned()),
            (
                "CIRCLES_PROJECTOR_LEASE",
                format!("{}ms", LEASE.as_millis()),
            ),
        ];
        self.add_node(name, "projector", settings, folder, false);
    }

    fn add_node(
        &mut self,
        name: String,
        program: &'static str,
        mut settings: Vec<(&'static str, String)>,
        folder: &Path,
        has_clients: bool,
    ) -> Option<SocketAddr> {
        settings.push(("CIRCLES_DRAIN_TIMEOUT", "2s".to_owned()));
        let log = folder.join(format!("{name}.log"));
        let service = start(program, &settings, &log);
        let front = has_clients.then(|| self.link(format!("clients-{name}"), service.address()));
        let address = front.as_ref().map(|front| front.address());
        self.nodes.push(Mutex::new(Node {
            name,
            program,
            settings,
            log,
            front,
            service,
        }));
        address
    }

    fn link(&mut self, name: String, server: SocketAddr) -> Arc<Proxy> {
        let proxy = Arc::new(Proxy::start(server));
        self.links.push(Link {
            name,
            proxy: Arc::clone(&proxy),
        });
        proxy
    }

    fn way_to_mysql(&mut self, from: &str) -> String {
        let way = self.link(format!("{from}-mysql"), self.mysql.address());
        self.log.url_by(way.address())
    }

    fn way_to_redis(&mut self, from: &str) -> String {
        let way = self.link(format!("{from}-redis"), self.redis.address());
        format!("redis://{}", way.address())
    }

    pub(crate) fn node(&self, n: usize) -> MutexGuard<'_, Node> {
        self.nodes[n].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections of a client of its own, which notice when they are lost.
    pub(crate) fn ways(&self) -> Ways {
        let commands = self.commands.iter().copied().map(channel);
        let queries = self.queries.iter().copied().map(channel);
        Ways {
            commands: commands.map(CircleCommandServiceClient::new).collect(),
            queries: queries.map(CircleQueryServiceClient::new).collect(),
        }
    }

    /// Nothing is in the way of anybody any more.
    pub(crate) fn heal(&self) {
        for link in &self.links {
            link.proxy.heal();
        }
    }
}

fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_timeout(SILENCE)
        .http2_keep_alive_interval(SILENCE)
        .keep_alive_timeout(SILENCE)
        .keep_alive_while_idle(true)
        .connect_lazy()
}
