//! Imports circles from a CSV file.

mod args;
mod import;
#[cfg(test)]
mod input_properties;
mod lines;
mod parser;
mod progress;
mod record;
mod report;
mod request_id;
mod service;

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Parser as _;
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::args::Arguments;
use crate::import::{Import, ImportError, chain};
use crate::progress::Progress;
use crate::record::{Record, Records};
use crate::report::Report;
use crate::request_id::RequestIds;
use crate::service::Service;

const SOME_REFUSED: u8 = 1;
const NOT_FINISHED: u8 = 2;
/// `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;

/// How many records are read ahead.
const READ_AHEAD: usize = 256;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let wrong = error.use_stderr();
            // Where nobody reads it there is nobody to tell.
            let _ = error.print();
            return if wrong {
                USAGE.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match prepare(&arguments) {
        Ok(job) => job.run(),
        Err(error) => {
            complain(&chain(error.as_ref()));
            USAGE.into()
        }
    }
}

/// An import that can begin.
struct Job {
    service: Service,
    import_id: String,
    patience: Duration,
    records: Records<Box<dyn BufRead + Send>>,
    size: Option<u64>,
    report: Report,
}

fn prepare(arguments: &Arguments) -> Result<Job, Box<dyn Error>> {
    let service = Service::of(arguments)?;
    let (input, size) = open(&arguments.file)?;
    let records = Records::new(input)?;
    let report = match &arguments.refused {
        Some(path) if is_same(path, &arguments.file) => {
            return Err("the refused lines would overwrite the file".into());
        }
        Some(path) => Report::with_file(path)?,
        None => Report::default(),
    };
    Ok(Job {
        service,
        import_id: import_id(arguments),
        patience: Duration::from_secs(arguments.patience.into()),
        records,
        size,
        report,
    })
}

/// The file, and how long it is where that is known.
fn open(path: &Path) -> Result<(Box<dyn BufRead + Send>, Option<u64>), String> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let failed = |error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let size = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::new(file)), size))
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

fn import_id(arguments: &Arguments) -> String {
    match (&arguments.import_id, arguments.file.file_name()) {
        (Some(id), _) => id.clone(),
        (None, Some(name)) if name != "-" => name.to_string_lossy().into_owned(),
        // Nothing is known about standard input: what comes may be new each time.
        (None, _) => Uuid::now_v7().to_string(),
    }
}

impl Job {
    fn run(self) -> ExitCode {
        let Self {
            import_id,
            mut report,
            ..
        } = self;
        complain(&format!("the import id is {import_id}"));
        let mut progress = Progress::new(self.size);
        let records = read_ahead(self.records);
        let import = Import {
            service: self.service,
            ids: RequestIds::new(&import_id),
            patience: self.patience,
            records,
            report: &mut report,
            progress: &mut progress,
        };
        let result = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(import.run()),
            Err(error) => Err(ImportError::Runtime(error)),
        };
        progress.finish();
        let result = result.and(report.finish().map_err(ImportError::from));
        // Where nobody reads it there is nobody to tell.
        let _ = write!(io::stdout(), "{report}");
        match result {
            Ok(()) if report.refused == 0 => ExitCode::SUCCESS,
            Ok(()) => SOME_REFUSED.into(),
            Err(error) => {
                complain(&chain(&error));
                // As a shell reads it.
                let import_id = import_id.replace('\'', r"'\''");
                complain(&format!(
                    "not finished; run it again with --import-id '{import_id}' to go on"
                ));
                NOT_FINISHED.into()
            }
        }
    }
}

/// Reads on a thread of its own, which nobody waits for: it may wait for standard input.
fn read_ahead(mut records: Records<Box<dyn BufRead + Send>>) -> mpsc::Receiver<io::Result<Record>> {
    let (send, receive) = mpsc::channel(READ_AHEAD);
    thread::spawn(move || {
        while let Some(record) = records.next().transpose() {
            let failed = record.is_err();
            if send.blocking_send(record).is_err() || failed {
                return;
            }
        }
    });
    receive
}

#[allow(clippy::print_stderr, reason = "this is where a user looks")]
fn complain(text: &str) {
    eprintln!("circles-import: {text}");
}
