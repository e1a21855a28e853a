//! A Redis Cluster of private servers.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::Engine;
use super::wire::{Address, Wire};
use crate::server::Server;

/// How long the masters may take to know each other.
const PATIENCE: Duration = Duration::from_secs(60);

const MASTERS: usize = 3;
const SLOTS: usize = 16_384;

/// The masters talk to each other on the port 10,000 above. With these, that is
/// neither one that `deploy/local/server` gives to a server nor one that the
/// kernel gives to outgoing connections.
const FIRST_PORT: u16 = 22_000;
const PORTS: u16 = 768;

/// Three masters without replicas, each with a third of the slots. Stopped when
/// dropped.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<(Server, Address)>,
}

impl RedisCluster {
    /// Starts three servers, joins them, and waits until the cluster serves.
    ///
    /// # Panics
    ///
    /// Where that fails, or takes too long.
    #[must_use]
    pub fn start(engine: Engine) -> Self {
        Self::start_with(engine, &[])
    }

    /// As [`Self::start`], each server with more arguments, as
    /// `["--cluster-require-full-coverage", "no"]`.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    #[must_use]
    pub fn start_with(engine: Engine, arguments: &[&str]) -> Self {
        let nodes = (0..MASTERS).map(|_| start_node(engine, arguments));
        let cluster = Self {
            nodes: nodes.collect(),
        };
        cluster.join();
        cluster.wait_until_whole();
        cluster
    }

    fn join(&self) {
        for (n, (_, address)) in self.nodes.iter().enumerate() {
            let mut wire = connect(address);
            let mut told = |words: &[&str]| assert_eq!(wire.command(words), ["OK"], "{words:?}");
            let slots: Vec<String> = (0..SLOTS)
                .filter(|slot| owner(*slot) == n)
                .map(|slot| slot.to_string())
                .collect();
            let mut take = vec!["CLUSTER", "ADDSLOTS"];
            take.extend(slots.iter().map(String::as_str));
            told(&take);
            // Each its own, so that nobody has to give way.
            told(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]);
            if n > 0 {
                let (host, port) = (self.nodes[0].1.host())
                    .split_once(':')
                    .expect("an address has a port");
                told(&["CLUSTER", "MEET", host, port]);
            }
        }
    }

    /// Waits until all masters run, know each other, and serve.
    ///
    /// # Panics
    ///
    /// Where it takes too long.
    pub fn wait_until_whole(&self) {
        let deadline = Instant::now() + PATIENCE;
        for (_, address) in &self.nodes {
            loop {
                let state = Wire::connect(address)
                    .map(|mut wire| {
                        let mut state = wire.command(&["CLUSTER", "INFO"]);
                        state.extend(wire.command(&["CLUSTER", "NODES"]));
                        state.concat()
                    })
                    .unwrap_or_else(|error| error.to_string());
                let said = |text: &str| state.lines().any(|line| line.trim_end() == text);
                if said("cluster_state:ok")
                    && said(&format!("cluster_known_nodes:{MASTERS}"))
                    && said(&format!("cluster_size:{MASTERS}"))
                    && !nodes_have(&state, "fail")
                    && !nodes_have(&state, "handshake")
                {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "the cluster is not whole: {address:?} says {state}"
                );
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// The URL to connect to it, with all its masters.
    #[must_use]
    pub fn url(&self) -> String {
        let mut hosts = self.nodes.iter().map(|(_, address)| address.host());
        let first = hosts.next().unwrap_or_default();
        let others: Vec<String> = hosts.map(|host| format!("node={host}")).collect();
        format!("redis-cluster://{first}?{}", others.join("&"))
    }

    /// The n-th master's server, to be paused, or saved and put back.
    ///
    /// # Panics
    ///
    /// From 3 on, as with everything that takes an n.
    #[must_use]
    pub fn node(&self, n: usize) -> &Server {
        &self.nodes[n].0
    }

    /// Ends the n-th master at once, as a crash would. It has no replica.
    ///
    /// # Panics
    ///
    /// Where that fails.
    pub fn kill(&self, n: usize) {
        self.node(n).kill();
    }

    /// Starts the n-th master again with its data, and waits until the cluster is whole, unless
    /// another one is missing.
    ///
    /// # Panics
    ///
    /// Where it does not start, or it takes too long.
    pub fn restart(&self, n: usize) {
        self.node(n).restart();
        let run = |(_, address): &(_, Address)| Wire::connect(address).is_ok();
        if self.nodes.iter().all(run) {
            self.wait_until_whole();
        }
    }

    /// Which master has the slot of a key.
    #[must_use]
    pub fn owner_of(&self, key: &str) -> usize {
        let running = self
            .nodes
            .iter()
            .find_map(|(_, address)| Wire::connect(address).ok());
        let slot = running
            .expect("a master runs")
            .command(&["CLUSTER", "KEYSLOT", key]);
        owner(slot[0].parse().expect("a slot is a number"))
    }

    /// Sends one command to the n-th master. The replies come as texts; none where the server
    /// refuses it, as it does for keys of others, which is printed.
    ///
    /// # Panics
    ///
    /// Where the server does not answer.
    pub fn command_on(&self, n: usize, arguments: &[&str]) -> Vec<String> {
        connect(&self.nodes[n].1).command(arguments)
    }

    /// Sends one command to the master that has this key.
    ///
    /// # Panics
    ///
    /// Where the server does not answer.
    pub fn command_for(&self, key: &str, arguments: &[&str]) -> Vec<String> {
        self.command_on(self.owner_of(key), arguments)
    }

    /// All keys of all masters, sorted.
    ///
    /// # Panics
    ///
    /// Where a master does not answer.
    #[must_use]
    pub fn keys_of_all(&self) -> Vec<String> {
        let nodes = self.connect_all();
        let mut keys: Vec<String> = nodes
            .into_iter()
            .flat_map(|mut wire| wire.command(&["KEYS", "*"]))
            .collect();
        keys.sort();
        keys
    }

    pub(crate) fn connect_all(&self) -> Vec<Wire> {
        self.nodes
            .iter()
            .map(|(_, address)| connect(address))
            .collect()
    }
}

/// Starts a server on a port that leaves room for its other one. Somebody may take either first;
/// then another pair is tried.
fn start_node(engine: Engine, arguments: &[&str]) -> (Server, Address) {
    let mut refused = String::new();
    for _ in 0..10 {
        let port = free_port().to_string();
        let mut all = vec!["--port", &port, "--cluster-enabled", "yes"];
        all.extend(["--cluster-node-timeout", "2000"]);
        all.extend(["--cluster-announce-ip", "127.0.0.1"]);
        all.extend(arguments);
        match Server::try_start(engine.into(), &all) {
            Ok(server) => {
                let address = Address::parse(server.url()).expect("the server is a Redis");
                return (server, address);
            }
            Err(error) if error.contains("in use") => refused = error,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("no pair of ports is free: {refused}")
}

fn free_port() -> u16 {
    loop {
        let (_, random) = Uuid::now_v7().as_u64_pair();
        let port = FIRST_PORT + (random % u64::from(PORTS)) as u16;
        if [port, port + 10_000]
            .iter()
            .all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        {
            return port;
        }
    }
}

/// Which master has a slot.
fn owner(slot: usize) -> usize {
    slot * MASTERS / SLOTS
}

/// Whether a line of CLUSTER NODES has a flag.
fn nodes_have(state: &str, flag: &str) -> bool {
    state.lines().any(|line| {
        line.split(' ')
            .nth(2)
            .is_some_and(|flags| flags.contains(flag))
    })
}

fn connect(address: &Address) -> Wire {
    Wire::connect(address).expect("a master of the cluster answers")
}
