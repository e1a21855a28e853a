//! What the processes under test use of the machine, from `/proc`.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;
use std::{fs, io};

use serde::{Deserialize, Serialize};

/// A process to watch, as given on the command line: `NAME=PID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) pid: u32,
}

impl FromStr for Watched {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('=');
        let (name, pid) = parts.ok_or("must be NAME=PID")?;
        let pid = pid.parse().map_err(|_| "the PID must be a number")?;
        Ok(Self {
            name: name.to_owned(),
            pid,
        })
    }
}

/// The processes that are watched, the generator itself among them.
#[derive(Clone, Debug)]
pub(crate) struct Processes(Vec<Watched>);

/// CPU time of one process since it was started, with that of its children that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CpuTime {
    user: Duration,
    system: Duration,
}

/// CPU time at one moment.
#[derive(Debug)]
pub(crate) struct Sample {
    processes: BTreeMap<String, CpuTime>,
    /// Of the whole machine; what a hypervisor took from it included.
    machine: Duration,
}

/// CPU time that one process used in some stretch of time, in seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CpuUse {
    /// In the program.
    pub(crate) user_seconds: f64,
    /// In the kernel on its behalf.
    pub(crate) system_seconds: f64,
}

impl CpuUse {
    pub(crate) fn seconds(&self) -> f64 {
        self.user_seconds + self.system_seconds
    }
}

/// Memory of one process, in MiB.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) resident: f64,
    /// The most since the start of the process.
    pub(crate) peak: f64,
}

impl Processes {
    pub(crate) fn new(watched: &[Watched]) -> Self {
        let own = Watched {
            name: "load-test".to_owned(),
            pid: std::process::id(),
        };
        Self(watched.iter().cloned().chain([own]).collect())
    }

    pub(crate) fn sample(&self) -> io::Result<Sample> {
        let times = self.0.iter().map(|process| {
            let time = read(process, "stat").and_then(|text| {
                cpu_time(&text).ok_or_else(|| failed(process, "its stat can't be read"))
            })?;
            Ok((process.name.clone(), time))
        });
        let processes = times.collect::<io::Result<_>>()?;
        let machine = machine_time(&fs::read_to_string("/proc/stat")?);
        Ok(Sample {
            processes,
            machine: machine.ok_or_else(|| io::Error::other("/proc/stat can't be read"))?,
        })
    }

    pub(crate) fn memory(&self) -> io::Result<BTreeMap<String, Memory>> {
        let memory = self.0.iter().map(|process| {
            let status = read(process, "status")?;
            let memory = memory(&status).ok_or_else(|| failed(process, "it has ended"))?;
            Ok((process.name.clone(), memory))
        });
        memory.collect()
    }
}

impl Sample {
    /// What was used since an earlier sample.
    pub(crate) fn since(&self, earlier: &Self) -> BTreeMap<String, CpuUse> {
        let used = self.processes.iter().filter_map(|(name, after)| {
            let before = earlier.processes.get(name)?;
            let cpu = CpuUse {
                user_seconds: after.user.saturating_sub(before.user).as_secs_f64(),
                system_seconds: after.system.saturating_sub(before.system).as_secs_f64(),
            };
            Some((name.clone(), cpu))
        });
        used.collect()
    }

    /// What all others on the machine used since an earlier sample, in seconds.
    pub(crate) fn elsewhere_since(&self, earlier: &Self) -> f64 {
        let machine = self.machine.saturating_sub(earlier.machine).as_secs_f64();
        let watched: f64 = self.since(earlier).values().map(CpuUse::seconds).sum();
        (machine - watched).max(0.0)
    }
}

fn read(process: &Watched, file: &str) -> io::Result<String> {
    fs::read_to_string(format!("/proc/{}/{file}", process.pid))
        .map_err(|error| failed(process, &error.to_string()))
}

fn failed(process: &Watched, why: &str) -> io::Error {
    io::Error::other(format!("process {} ({}): {why}", process.pid, process.name))
}

/// USER_HZ, which is 100 on every architecture that we know.
const TICK: Duration = Duration::from_millis(10);

fn cpu_time(stat: &str) -> Option<CpuTime> {
    // The name of the program, in brackets, may hold spaces and brackets itself.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    let (user, system) = (ticks()?, ticks()?);
    // The generator starts others to do its work (h2load).
    let (of_children, of_children_in_system) = (ticks()?, ticks()?);
    Some(CpuTime {
        user: TICK * (user + of_children),
        system: TICK * (system + of_children_in_system),
    })
}

/// The first line of `/proc/stat`: everything but idling and waiting for disks.
fn machine_time(stat: &str) -> Option<Duration> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    let [
        user,
        nice,
        system,
        _idle,
        _waiting,
        interrupts,
        soft_interrupts,
        stolen,
        ..,
    ] = ticks[..]
    else {
        return None;
    };
    let busy = user + nice + system + interrupts + soft_interrupts + stolen;
    Some(Duration::from_millis(busy * 10))
}

fn memory(status: &str) -> Option<Memory> {
    let mebibytes = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kibibytes / 1024.0)
    };
    Some(Memory {
        resident: mebibytes("VmRSS:")?,
        peak: mebibytes("VmHWM:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_past_a_strange_name_with_that_of_children() {
        let stat = "42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 125 50 25 20 0 1 0";
        let time = cpu_time(stat).unwrap();
        assert_eq!(time.user, Duration::from_millis(3_000));
        assert_eq!(time.system, Duration::from_millis(1_500));
    }

    #[test]
    fn idling_and_waiting_is_not_work() {
        let stat = "cpu  100 20 30 99999 8888 4 5 6 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(machine_time(stat), Some(Duration::from_millis(1_650)));
        assert_eq!(machine_time("cpu  100 20"), None);
    }

    #[test]
    fn this_process_can_be_watched() {
        let processes = Processes::new(&[]);
        let before = processes.sample().unwrap();
        let after = processes.sample().unwrap();
        assert!(after.since(&before)["load-test"].seconds() >= 0.0);
        assert!(processes.memory().unwrap()["load-test"].peak > 0.0);
    }

    #[test]
    fn a_process_that_is_not_there_is_named() {
        let gone = Watched::from_str("mysqld=4194305").unwrap();
        let error = Processes::new(&[gone]).sample().unwrap_err();
        assert!(error.to_string().contains("mysqld"), "{error}");
    }
}
