//! What a service tells Prometheus.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A socket for metrics, on a port that the system picks.
///
/// # Panics
///
/// Where there is none.
#[must_use]
pub fn socket() -> TcpListener {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// Everything that a service tells at one moment.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// By name and labels, as they are written: `name{label="value"}`.
    pub samples: BTreeMap<String, f64>,
    /// The types, by name: `counter`, `gauge`, `histogram`.
    pub types: BTreeMap<String, String>,
    /// The explanations, by name.
    pub help: BTreeMap<String, String>,
}

impl Scrape {
    /// Asks a service. It must run on another thread.
    ///
    /// # Panics
    ///
    /// Unless it answers as Prometheus expects.
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        Self::parse(body)
    }

    fn parse(text: &str) -> Self {
        let mut scrape = Self::default();
        let word = |text: &str| {
            let (name, rest) = text.split_once(' ').unwrap();
            (name.to_owned(), rest.to_owned())
        };
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                scrape.help.extend([word(help)]);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                scrape.types.extend([word(kind)]);
            } else {
                let (name, value) = line.rsplit_once(' ').unwrap();
                let twice = scrape
                    .samples
                    .insert(name.to_owned(), value.parse().unwrap());
                assert_eq!(twice, None, "{name} is told twice");
            }
        }
        scrape
    }

    /// Asks until something holds.
    ///
    /// # Panics
    ///
    /// Where it never does.
    pub async fn until(address: SocketAddr, what: &str, holds: impl Fn(&Self) -> bool) -> Self {
        let begun = Instant::now();
        loop {
            let scrape = tokio::task::spawn_blocking(move || Self::of(address))
                .await
                .unwrap();
            if holds(&scrape) {
                return scrape;
            }
            let took = begun.elapsed();
            assert!(took < PATIENCE, "in vain: {what}: {:#?}", scrape.brief());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What is not 0, without the buckets.
    fn brief(&self) -> Vec<(&String, &f64)> {
        let samples = self.samples.iter();
        samples
            .filter(|(name, value)| **value != 0.0 && !name.contains("_bucket"))
            .collect()
    }

    /// A sample, if it is there.
    #[must_use]
    pub fn get(&self, sample: &str) -> Option<f64> {
        self.samples.get(sample).copied()
    }

    /// How often a call ended in this way; 0 where it never did.
    #[must_use]
    pub fn calls(&self, method: &str, code: &str) -> f64 {
        let sample = format!(
            "rpc_server_call_duration_seconds_count{{rpc_method=\"{method}\",\
             rpc_response_status_code=\"{code}\",rpc_system=\"grpc\"}}"
        );
        self.get(&sample).unwrap_or(0.0)
    }
}
