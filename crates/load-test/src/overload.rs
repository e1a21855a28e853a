//! What is left of a service's rate when it is asked for far more than it can do.

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::runtime::LocalRuntime;
use tokio::sync::oneshot;
use tokio::time::{interval, timeout};

use crate::client::Client;
use crate::grpc::Rpc;
use crate::measure::{Load, Measurement, Span, measure};
use crate::processes::Processes;
use crate::workload::{Targets, Workload};

/// So many times the highest rate is to come in.
pub(crate) const TIMES: f64 = 4.0;

/// For so many calls the service's queue has room.
const QUEUE: f64 = 4_096.0;

/// Those that are turned away come again after so many seconds: [`closed_loop`](crate::closed_loop) waits 10 ms, and the
/// call itself takes some time.
const RETRY: f64 = 0.020;

/// How often the health is asked meanwhile, and how long an answer may take.
const PROBE: Duration = Duration::from_millis(50);
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// One round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Overload {
    /// The highest rate, just before.
    pub(crate) peak: Measurement,
    /// With so many calls in flight that about [`TIMES`] as many come in. Those that are refused count as failed.
    pub(crate) over: Measurement,
    pub(crate) health: Health,
}

/// What became of the questions for the health.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Health {
    pub(crate) answered: u64,
    pub(crate) unanswered: u64,
    /// The slowest answer, in milliseconds.
    pub(crate) slowest: f64,
}

impl Overload {
    /// Which part of the highest rate is left.
    pub(crate) fn left(&self) -> f64 {
        self.over.record.per_second() / self.peak.record.per_second()
    }

    /// How many times the highest rate came in, refused calls included.
    pub(crate) fn offered(&self) -> f64 {
        let Measurement { record, .. } = &self.over;
        let came = record.calls + record.failed();
        came as f64 / record.seconds / self.peak.record.per_second()
    }
}

/// Measures the highest rate with so many calls in flight, then the overload.
pub(crate) async fn run(
    targets: &Targets,
    address: &str,
    in_flight: usize,
    span: Span,
    processes: &Processes,
) -> Result<Overload, Box<dyn Error>> {
    let create = Workload::Create;
    let peak = measure(targets, &create, Load::InFlight(in_flight), span, processes).await?;
    let probes = Probes::start(address.to_owned());
    let refused = (TIMES - 1.0) * peak.record.per_second();
    let crowd = Load::InFlight((QUEUE + refused * RETRY) as usize);
    let over = measure(targets, &create, crowd, span, processes).await?;
    let health = probes.stop().await?;
    Ok(Overload { peak, over, health })
}

/// Asks for the health on a thread of its own, so that a busy generator does not count as a slow service.
struct Probes {
    stop: oneshot::Sender<()>,
    found: oneshot::Receiver<Result<Health, String>>,
}

impl Probes {
    fn start(address: String) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, found) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = LocalRuntime::new().map_err(|error| error.to_string());
            let health = runtime.and_then(|runtime| runtime.block_on(ask(&address, stopped)));
            // Nobody hears it where the measurement failed.
            let _ = tell.send(health);
        });
        Self { stop, found }
    }

    async fn stop(self) -> Result<Health, String> {
        drop(self.stop);
        let found = self.found.await;
        found.unwrap_or_else(|_| Err("the thread that asks for the health is gone".to_owned()))
    }
}

async fn ask(address: &str, mut stopped: oneshot::Receiver<()>) -> Result<Health, String> {
    let client = Client::connect(address, 1).await;
    let mut caller = client.map_err(|error| error.to_string())?.caller(0);
    let mut health = Health::default();
    let mut ticks = interval(PROBE);
    loop {
        tokio::select! {
            _ = &mut stopped => return Ok(health),
            _ = ticks.tick() => {}
        }
        let asked = Instant::now();
        // A message without a field: the health of the whole process.
        let empty = Bytes::from_static(&[0; 5]);
        match timeout(PROBE_PATIENCE, caller.call(Rpc::Health, empty)).await {
            Ok(Ok(_)) => {
                health.answered += 1;
                let took = asked.elapsed().as_secs_f64() * 1_000.0;
                health.slowest = health.slowest.max(took);
            }
            Ok(Err(_)) | Err(_) => health.unanswered += 1,
        }
    }
}
