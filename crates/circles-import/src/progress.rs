//! How far an import is: a bar on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

/// Between two lines, where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Between two updates of the bar.
const BAR_INTERVAL: Duration = Duration::from_millis(100);

/// Shows how far it is, on stderr.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    /// How many bytes the file has, where that is known.
    size: Option<u64>,
    begun: Instant,
    shown: Instant,
    lines: u64,
}

impl Progress {
    pub(crate) fn new(size: Option<u64>) -> Self {
        let bar = io::stderr().is_terminal().then(|| bar(size));
        let now = Instant::now();
        Self {
            bar,
            size,
            begun: now,
            shown: now,
            lines: 0,
        }
    }

    /// Another line is done, which ends at this byte of the file.
    pub(crate) fn advance(&mut self, end: u64) {
        self.lines += 1;
        let interval = if self.bar.is_some() {
            BAR_INTERVAL
        } else {
            LINE_INTERVAL
        };
        if self.shown.elapsed() < interval {
            return;
        }
        self.shown = Instant::now();
        match &self.bar {
            Some(bar) => {
                bar.set_position(end);
                bar.set_message(self.lines_and_rate());
            }
            None => self.note(&format!("{}{}", self.lines_and_rate(), self.time_left(end))),
        }
    }

    /// Tells something besides.
    #[allow(clippy::print_stderr, reason = "this is where a user looks")]
    pub(crate) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("circles-import: {text}"),
        }
    }

    /// Clears the bar away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = self.begun.elapsed().as_secs_f64();
        self.note(&format!("{} in {seconds:.1} s", self.lines_and_rate()));
    }

    fn lines_and_rate(&self) -> String {
        let rate = self.lines as f64 / self.begun.elapsed().as_secs_f64().max(0.001);
        format!(
            "{} lines, {}/s",
            HumanCount(self.lines),
            HumanCount(rate as u64)
        )
    }

    fn time_left(&self, end: u64) -> String {
        match self.size {
            Some(size) if end > 0 => {
                let done = (end as f64 / size as f64).min(1.0);
                let left = self.begun.elapsed().mul_f64((1.0 - done) / done);
                format!(", {:.0} %, {} left", done * 100.0, HumanDuration(left))
            }
            _ => String::new(),
        }
    }
}

fn bar(size: Option<u64>) -> ProgressBar {
    let (bar, template) = match size {
        Some(size) => (
            ProgressBar::new(size),
            "{bar:40} {percent} %, {msg}, {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}"),
    };
    bar.set_message("no line yet");
    // The templates are constants; were one wrong, the bar would have another look.
    bar.with_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}
