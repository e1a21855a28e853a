//! Whether a service keeps its memory under load.

use std::error::Error;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::interval;

use crate::measure::{Load, Measurement, Span, measure};
use crate::processes::Processes;
use crate::workload::{Targets, Workload};

/// A longer measurement, with the memory of a process meanwhile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Endurance {
    /// Which process.
    pub(crate) process: String,
    /// Resident memory in MiB, second by second, the warm-up included.
    pub(crate) resident: Vec<f64>,
    /// The most that the process ever held, in MiB, by the kernel's count.
    pub(crate) peak: f64,
    pub(crate) measurement: Measurement,
}

/// CreateCircle with so many calls at a time.
pub(crate) async fn run(
    targets: &Targets,
    in_flight: usize,
    span: Span,
    processes: &Processes,
    process: &str,
) -> Result<Endurance, Box<dyn Error>> {
    let mut resident = Vec::new();
    let sampling = async {
        let mut seconds = interval(Duration::from_secs(1));
        loop {
            seconds.tick().await;
            // A process that has ended ends the measurement too, which says so.
            if let Some(memory) = processes
                .memory()
                .ok()
                .and_then(|mut all| all.remove(process))
            {
                resident.push(memory.resident);
            }
        }
    };
    let load = Load::InFlight(in_flight);
    let measurement = tokio::select! {
        measurement = measure(targets, &Workload::Create, load, span, processes) => measurement?,
        never = sampling => never,
    };
    let memory = measurement.memory.get(process);
    let memory = memory.ok_or_else(|| format!("--watch {process}=PID is missing"))?;
    Ok(Endurance {
        process: process.to_owned(),
        resident,
        peak: memory.peak,
        measurement,
    })
}

impl Endurance {
    /// How much more the process held in the last quarter of the time than in the second: 0.05 is 5 % more.
    /// In the first quarter memory is taken that any such load needs.
    pub(crate) fn growth(&self) -> f64 {
        let quarter = self.resident.len() / 4;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let early = mean(&self.resident[quarter..2 * quarter]);
        let late = mean(&self.resident[self.resident.len() - quarter..]);
        if early > 0.0 { late / early - 1.0 } else { 0.0 }
    }
}
