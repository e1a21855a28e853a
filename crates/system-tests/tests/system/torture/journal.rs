//! What the nemesis did, and when, beside what the processes log.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::recorder::Recorder;

const DAY: u64 = 24 * 60 * 60;

/// A file with a line for each thing: the time of day, the moment of the history, what.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    recorder: Arc<Recorder>,
}

impl Journal {
    pub(super) fn create(folder: &Path, recorder: &Arc<Recorder>) -> Self {
        Self {
            file: File::create(folder.join("nemesis.log")).unwrap(),
            recorder: Arc::clone(recorder),
        }
    }

    /// Notes what must not be.
    pub(super) fn complain(&self, what: String) {
        self.note(&what);
        self.recorder.complain(what);
    }

    pub(super) fn note(&self, what: &str) {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let today = Duration::from_secs(now.as_secs() % DAY);
        let (minutes, seconds) = (today.as_secs() / 60, today.as_secs() % 60);
        let (hour, minute, milliseconds) = (minutes / 60, minutes % 60, now.subsec_millis());
        let moment = self.recorder.now();
        let line =
            format!("{hour:02}:{minute:02}:{seconds:02}.{milliseconds:03} {moment:>8} {what}\n");
        // One write for each line, so that the threads' lines stay whole.
        (&self.file).write_all(line.as_bytes()).unwrap();
    }
}
