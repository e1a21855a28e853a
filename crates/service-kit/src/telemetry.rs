//! Structured logs to standard error, and traces. Standard output belongs to what a subcommand prints.

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    str,
};

use tokio_util::task::AbortOnDropHandle;
use tracing_subscriber::{
    EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, registry::Registry, reload,
    util::SubscriberInitExt as _,
};

use crate::{
    config::{Invalid, Reader, parse},
    files::{self, Contents},
    trace,
};

/// What is logged, as tracing's filter directives: `info`, `warn,command_service=debug`.
pub const LOG: &str = "CIRCLES_LOG";
/// A file with these directives, in place of [`LOG`]. They change with the file, while the process runs.
pub const LOG_FILE: &str = "CIRCLES_LOG_FILE";
/// How it is written: `text` or `json`.
pub const LOG_FORMAT: &str = "CIRCLES_LOG_FORMAT";

/// How logs are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people, with colours on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What is logged and how.
#[derive(Debug)]
pub struct Options {
    /// What is logged.
    pub filter: EnvFilter,
    /// The file that tells it, and its contents.
    filter_file: Option<(PathBuf, Contents)>,
    /// How it is written.
    pub format: Format,
    /// What is traced, and where that goes.
    pub traces: trace::Options,
}

impl Options {
    /// Reads [`LOG`] (default `info`) or [`LOG_FILE`], and [`LOG_FORMAT`] (default `text`), and those of [`trace`].
    ///
    /// # Errors
    /// When the reader refused a variable.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let filter = reader.optional(LOG, parse_filter);
        let from_file = reader.optional(LOG_FILE, |value| {
            let path = parse::path(value)?;
            let contents = files::read(std::slice::from_ref(&path))
                .map_err(|error| format!("must name a readable file ({error})"))?;
            Ok::<_, String>((filter_of(&contents)?, (path, contents)))
        });
        let format = reader.or(LOG_FORMAT, parse_format, Format::default());
        let traces = trace::Options::read(reader);
        let (filter, filter_file) = match (filter?, from_file?) {
            (Some(_), Some(_)) => {
                let rule = format!("must not be set together with {LOG_FILE}");
                return Err(reader.reject(LOG, &rule));
            }
            (None, Some((filter, file))) => (filter, Some(file)),
            (Some(filter), None) => (filter, None),
            (None, None) => (EnvFilter::new(DEFAULT), None),
        };
        Ok(Self {
            filter,
            filter_file,
            format: format?,
            traces: traces?,
        })
    }
}

/// What is logged where nothing is said.
const DEFAULT: &str = "info";

fn parse_filter(value: &str) -> Result<EnvFilter, String> {
    // With white space before a directive EnvFilter takes a shifted piece of it for the target, and panics where that
    // begins or ends inside of a character.
    let directives: Vec<&str> = value.split(',').map(str::trim).collect();
    EnvFilter::builder()
        .parse(directives.join(","))
        .map_err(|error| format!("must be log directives such as info or warn,h2=debug ({error})"))
}

/// What a file tells. An empty one says nothing, as an empty variable does.
fn filter_of(contents: &Contents) -> Result<EnvFilter, String> {
    let text = contents.first().map_or(&[][..], Vec::as_slice);
    match str::from_utf8(text).map(str::trim) {
        Ok("") => Ok(EnvFilter::new(DEFAULT)),
        Ok(text) => parse_filter(text),
        Err(_) => Err("must be valid UTF-8".to_owned()),
    }
}

fn parse_format(value: &str) -> Result<Format, &'static str> {
    match value {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err("must be text or json"),
    }
}

/// Telemetry was set up before in this process.
#[derive(Debug, thiserror::Error)]
#[error("telemetry was set up before")]
pub(crate) struct AlreadySet;

/// Logging that has started. What is logged follows its file for as long as this lives.
#[derive(Debug)]
#[must_use]
pub(crate) struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
    file: Option<(PathBuf, Contents)>,
}

impl Logging {
    /// Follows the file, where there is one, until the handle is dropped. Within a runtime.
    pub(crate) fn follow(self) -> Option<AbortOnDropHandle<()>> {
        let (path, contents) = self.file?;
        let filter = self.filter;
        let follower = files::follow("log directives", vec![path], contents, move |contents| {
            let directives = filter_of(contents)?;
            filter.reload(directives).map_err(|error| error.to_string())
        });
        Some(follower)
    }
}

/// Starts logging for the whole process. Panics are logged as well, in the same format.
///
/// # Errors
/// When it was done before.
pub(crate) fn init(options: Options) -> Result<Logging, AlreadySet> {
    let layer = fmt::layer::<Registry>().with_writer(io::stderr);
    let layer = match options.format {
        Format::Text => layer.with_ansi(io::stderr().is_terminal()).boxed(),
        Format::Json => layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    let (filter, handle) = reload::Layer::new(options.filter);
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .try_init()
        .map_err(|_| AlreadySet)?;
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("(no text)");
        tracing::error!(location, message, "panicked");
    }));
    Ok(Logging {
        filter: handle,
        file: options.filter_file,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config;

    #[test]
    fn has_defaults() {
        let options = config::read(&BTreeMap::<&str, &str>::new(), Options::read).unwrap();
        assert_eq!(
            (options.filter.to_string().as_str(), options.format),
            ("info", Format::Text)
        );
    }

    #[test]
    fn white_space_around_directives_means_nothing() {
        let spaced = parse_filter(" warn, h2=debug ,\n circles=trace\n").unwrap();
        let plain = parse_filter("warn,h2=debug,circles=trace").unwrap();
        assert_eq!(spaced.to_string(), plain.to_string());
        // Once this was a panic, also while the file was followed.
        assert!(parse_filter("\ncle\u{fffd}[{id=1}]=\u{fffd}race").is_err());
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        let mistakes = |variables: &[(&'static str, &'static str)]| {
            let variables: BTreeMap<_, _> = variables.iter().copied().collect();
            let errors = config::read(&variables, Options::read).unwrap_err();
            let names = errors.mistakes().iter();
            names.map(|it| it.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            mistakes(&[(LOG, "a=loud"), (LOG_FILE, "/nowhere"), (LOG_FORMAT, "xml")]),
            [LOG, LOG_FILE, LOG_FORMAT]
        );
        let this = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        assert_eq!(mistakes(&[(LOG_FILE, this)]), [LOG_FILE]);
        assert_eq!(mistakes(&[(LOG, "info"), (LOG_FILE, "/dev/null")]), [LOG]);
    }
}
