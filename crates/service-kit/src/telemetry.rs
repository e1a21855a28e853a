//! Structured logs to standard error, and traces. Standard output belongs to what a subcommand prints.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{
    EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, registry::Registry,
    util::SubscriberInitExt as _,
};

use crate::config::{Invalid, Reader};
use crate::trace;

/// What is logged, as tracing's filter directives: `info`, `warn,command_service=debug`.
pub const LOG: &str = "CIRCLES_LOG";
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
    /// How it is written.
    pub format: Format,
    /// What is traced, and where that goes.
    pub traces: trace::Options,
}

impl Options {
    /// Reads [`LOG`] (default `info`) and [`LOG_FORMAT`] (default `text`), and those of [`trace`].
    ///
    /// # Errors
    /// When the reader refused a variable.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Invalid> {
        let filter = reader.optional(LOG, |value| {
            EnvFilter::builder().parse(value).map_err(|error| {
                format!("must be log directives such as info or warn,h2=debug ({error})")
            })
        });
        let format = reader.or(LOG_FORMAT, parse_format, Format::default());
        let traces = trace::Options::read(reader);
        Ok(Self {
            filter: filter?.unwrap_or_else(|| EnvFilter::new("info")),
            format: format?,
            traces: traces?,
        })
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
pub struct AlreadySet;

/// Starts logging for the whole process. Panics are logged as well, in the same format.
///
/// # Errors
/// When it was done before.
pub fn init(options: Options) -> Result<(), AlreadySet> {
    let layer = fmt::layer::<Registry>().with_writer(io::stderr);
    let layer = match options.format {
        Format::Text => layer.with_ansi(io::stderr().is_terminal()).boxed(),
        Format::Json => layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(options.filter))
        .try_init()
        .map_err(|_| AlreadySet)?;
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("(no text)");
        tracing::error!(location, message, "panicked");
    }));
    Ok(())
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
    fn refuses_what_it_does_not_know() {
        let variables = BTreeMap::from([(LOG, "a=loud"), (LOG_FORMAT, "xml")]);
        let errors = config::read(&variables, Options::read).unwrap_err();
        let names: Vec<_> = errors
            .mistakes()
            .iter()
            .map(|mistake| mistake.name.as_str())
            .collect();
        assert_eq!(names, [LOG, LOG_FORMAT], "{errors}");
    }
}
