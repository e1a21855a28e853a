//! What surrounds `main`: subcommands, configuration, telemetry, runtime and exit status.
//!
//! ```no_run
//! use std::{io, net::SocketAddr, process::ExitCode};
//! use service_kit::{config::{Invalid, Reader, parse}, program::{Program, Shutdown}};
//! use service_kit::listeners::Listeners;
//!
//! const PROGRAM: Program = Program {
//!     name: "example-service",
//!     version: env!("CARGO_PKG_VERSION"),
//!     about: "Shows how a service starts.",
//!     subcommands: &[("greet", "say hello, then exit")],
//! };
//!
//! fn main() -> ExitCode {
//!     PROGRAM.main(|subcommand| match subcommand {
//!         "check" => PROGRAM.check(listen),
//!         "greet" => PROGRAM.run(|_| Ok(()), |()| async { io::Result::Ok(()) }),
//!         _ => PROGRAM.serve(listen, |listen| *listen, serve),
//!     })
//! }
//!
//! fn listen(reader: &mut Reader<'_>) -> Result<SocketAddr, Invalid> {
//!     reader.required("EXAMPLE_LISTEN", parse::address)
//! }
//!
//! async fn serve(_: SocketAddr, listeners: Listeners, shutdown: Shutdown) -> io::Result<()> {
//!     shutdown.await;
//! #   drop(listeners);
//!     Ok(())
//! }
//! ```

use std::{
    error::Error,
    fmt::{self, Write as _},
    io, iter,
    net::SocketAddr,
    pin::Pin,
    process::ExitCode,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{net::TcpListener, runtime};

use crate::{
    check,
    config::{self, ConfigErrors, Environment, Invalid, Reader},
    listeners::{Besides, Listeners},
    shutdown, telemetry,
    trace::Traces,
};

/// The exit status for a wrong command line or configuration, `EX_USAGE` of sysexits.h: trying again will not help.
pub const BAD_CONFIGURATION: u8 = 64;

/// What every service has, besides its own.
const SUBCOMMANDS: [(&str, &str); 2] = [
    ("serve", "serve until SIGTERM or SIGINT (the default)"),
    (
        "check",
        "ask the running service for its health; fails unless it is SERVING",
    ),
];

/// After the work is done, whatever still runs has this long before the process ends.
const RUNTIME_GRACE: Duration = Duration::from_secs(1);

/// A service as seen from its command line.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// The executable.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// The service's own subcommands besides `serve` and `check`: names and explanations.
    pub subcommands: &'static [(&'static str, &'static str)],
}

impl Program {
    /// Finds the subcommand in the process's arguments (`serve` without any) and calls `start` with it.
    ///
    /// Help and version are answered here. Anything unknown ends with [`BAD_CONFIGURATION`].
    pub fn main(&self, start: impl FnOnce(&'static str) -> ExitCode) -> ExitCode {
        let arguments: Vec<_> = std::env::args_os().skip(1).collect();
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| argument.to_string_lossy())
            .collect();
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.as_ref()).collect();
        match self.parse(&arguments) {
            Arguments::Start(subcommand) => start(subcommand),
            Arguments::Help => print(io::stdout(), self, ExitCode::SUCCESS),
            Arguments::Version => print(
                io::stdout(),
                format_args!("{} {}\n", self.name, self.version),
                ExitCode::SUCCESS,
            ),
            Arguments::Unknown => print(
                io::stderr(),
                format_args!(
                    "{}: unknown arguments: {}\n\n{self}",
                    self.name,
                    arguments.join(" ")
                ),
                BAD_CONFIGURATION.into(),
            ),
        }
    }

    fn parse(&self, arguments: &[&str]) -> Arguments {
        match arguments {
            [] => Arguments::Start(SUBCOMMANDS[0].0),
            ["help" | "--help" | "-h"] => Arguments::Help,
            ["--version" | "-V"] => Arguments::Version,
            [name] => match self.all().find(|(known, _)| known == name) {
                Some((known, _)) => Arguments::Start(known),
                None => Arguments::Unknown,
            },
            _ => Arguments::Unknown,
        }
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        iter::chain(SUBCOMMANDS, self.subcommands.iter().copied())
    }

    /// [`run`](Self::run) for a server: binds the address, and those of [`Besides`] where they are set, and hands them to `run` with a future that resolves when the process is told to stop.
    pub fn serve<C, E: Error + 'static, F: Future<Output = Result<(), E>>>(
        &self,
        configure: impl FnOnce(&mut Reader<'_>) -> Result<C, Invalid>,
        listen: impl FnOnce(&C) -> SocketAddr,
        run: impl FnOnce(C, Listeners, Shutdown) -> F,
    ) -> ExitCode {
        let configure = |reader: &mut Reader<'_>| {
            let config = configure(reader);
            let besides = Besides::read(reader);
            Ok((config?, besides?))
        };
        self.run(configure, async |(config, besides)| {
            let shutdown: Shutdown = Box::pin(shutdown::signal().map_err(ServeError::Signal)?);
            raise_file_limit();
            let listeners = Listeners {
                grpc: bind(listen(&config)).await?,
                health: bind_if_set(besides.health).await?,
                metrics: bind_if_set(besides.metrics).await?,
            };
            run(config, listeners, shutdown)
                .await
                .map_err(ServeError::Run)
        })
    }

    /// Asks the running service of the same environment for its health. `listen` reads where that listens.
    ///
    /// No telemetry is started for that, as what is read for it may be in the middle of a change, and there is nothing
    /// to trace. What is wrong is printed. Exit status as for [`run`](Self::run).
    pub fn check(
        &self,
        listen: impl FnOnce(&mut Reader<'_>) -> Result<SocketAddr, Invalid>,
    ) -> ExitCode {
        let target = config::read(&Environment, |reader| check::read_target(reader, listen));
        let target = match target {
            Ok(target) => target,
            Err(errors) => return self.misconfigured(&errors),
        };
        let checked = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| chain(&error))
            .and_then(|runtime| {
                let checked = runtime.block_on(check::check(target));
                checked.map_err(|error| chain(&error))
            });
        match checked {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let text = format_args!("{}: {error}\n", self.name);
                print(io::stderr(), text, ExitCode::FAILURE)
            }
        }
    }

    fn misconfigured(&self, errors: &ConfigErrors) -> ExitCode {
        let text = format_args!("{}: wrong configuration\n{errors}\n", self.name);
        print(io::stderr(), text, BAD_CONFIGURATION.into())
    }

    /// Reads the configuration from the environment, starts telemetry and a runtime, and does the work.
    ///
    /// Exit status: 0 when the work is done, [`BAD_CONFIGURATION`] when a variable is wrong (all
    /// mistakes are printed, the variables of [`telemetry`] included), 1 when anything else fails (its causes are logged).
    pub fn run<C, E: Error, F: Future<Output = Result<(), E>>>(
        &self,
        configure: impl FnOnce(&mut Reader<'_>) -> Result<C, Invalid>,
        work: impl FnOnce(C) -> F,
    ) -> ExitCode {
        let configured = config::read(&Environment, |reader| {
            let telemetry = telemetry::Options::read(reader);
            let config = configure(reader);
            Ok((telemetry?, config?))
        });
        let (options, config) = match configured {
            Ok(configured) => configured,
            Err(errors) => return self.misconfigured(&errors),
        };
        let traces = options.traces.clone();
        let logging = match telemetry::init(options) {
            Ok(logging) => logging,
            Err(error) => {
                let text = format_args!("{}: {error}\n", self.name);
                return print(io::stderr(), text, ExitCode::FAILURE);
            }
        };
        let runtime = match runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return failed(&error),
        };
        let traces = {
            // Their connection belongs to the runtime.
            let _inside = runtime.enter();
            match Traces::start(&traces, self.name, self.version) {
                Ok(traces) => traces,
                Err(error) => return failed(&error),
            }
        };
        let done = runtime.block_on(async {
            let _following = logging.follow();
            work(config).await
        });
        traces.end();
        // Dropping the runtime would wait for blocking tasks without a limit.
        runtime.shutdown_timeout(RUNTIME_GRACE);
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        }
    }
}

/// Resolves when the process is told to stop.
pub type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why a server ended.
#[derive(Debug, thiserror::Error)]
enum ServeError<E: Error + 'static> {
    #[error("cannot receive signals")]
    Signal(#[source] io::Error),
    #[error("cannot listen on {address}")]
    Bind {
        address: SocketAddr,
        source: io::Error,
    },
    #[error(transparent)]
    Run(E),
}

async fn bind_if_set<E: Error + 'static>(
    address: Option<SocketAddr>,
) -> Result<Option<TcpListener>, ServeError<E>> {
    match address {
        Some(address) => bind(address).await.map(Some),
        None => Ok(None),
    }
}

/// Each connection is an open file, of which a process may have 1,024 unless it asks for more.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, limit = limit.current, "the limit of open files stays low");
    }
}

async fn bind<E: Error + 'static>(address: SocketAddr) -> Result<TcpListener, ServeError<E>> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServeError::Bind { address, source })
}

#[derive(Debug, PartialEq, Eq)]
enum Arguments {
    Start(&'static str),
    Help,
    Version,
    Unknown,
}

/// The help text.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\nUsage: {} [SUBCOMMAND]\n", self.about, self.name)?;
        for (name, about) in self.all() {
            writeln!(f, "  {name:<10} {about}")?;
        }
        writeln!(
            f,
            "\nSettings come from environment variables named CIRCLES_*."
        )
    }
}

fn failed(error: &dyn Error) -> ExitCode {
    tracing::error!(error = %chain(error), "failed");
    ExitCode::FAILURE
}

/// An error and its causes in one line. A cause that its effect already quotes is not repeated.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    for cause in iter::successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            // Writing to a `String` can't fail.
            let _ = write!(text, ": {cause}");
        }
    }
    text
}

fn print(mut to: impl io::Write, text: impl fmt::Display, exit: ExitCode) -> ExitCode {
    // Where nobody reads it there is nobody to tell.
    let _ = to.write_fmt(format_args!("{text}"));
    exit
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program = Program {
        name: "example",
        version: "1.2.3",
        about: "An example.",
        subcommands: &[("migrate", "migrate, then exit")],
    };

    #[test]
    fn finds_the_subcommand() {
        for (arguments, expected) in [
            (&[][..], Arguments::Start("serve")),
            (&["serve"], Arguments::Start("serve")),
            (&["check"], Arguments::Start("check")),
            (&["migrate"], Arguments::Start("migrate")),
            (&["--help"], Arguments::Help),
            (&["-V"], Arguments::Version),
            (&["rebuild"], Arguments::Unknown),
            (&["check", "now"], Arguments::Unknown),
        ] {
            assert_eq!(PROGRAM.parse(arguments), expected, "{arguments:?}");
        }
        assert!(
            PROGRAM
                .to_string()
                .contains("migrate    migrate, then exit\n")
        );
    }

    #[test]
    fn a_chain_tells_every_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] Quoting);
        #[derive(Debug, thiserror::Error)]
        #[error("middle: {0}")]
        struct Quoting(#[source] fmt::Error);

        let error = Outer(Quoting(fmt::Error));
        assert_eq!(chain(&error), format!("outer: middle: {}", fmt::Error));
    }
}
