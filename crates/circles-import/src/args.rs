//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use tonic::transport::Endpoint;

/// Creates a circle for every line of a CSV file.
///
/// The first line names the columns: `name` and `capacity` have to be there, in any order; others are passed over. The
/// file is UTF-8, its separator is the comma, and a field may be in double quotes.
///
/// Running the same import again creates nothing twice, as long as a line keeps its number and its content: so an import
/// that was interrupted goes on where it stopped, and a corrected file creates what was refused before.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_STATUS)]
pub(crate) struct Arguments {
    /// The file; `-` is standard input.
    pub(crate) file: PathBuf,

    /// Address of the command service.
    #[arg(long, value_name = "HOST:PORT", value_parser = endpoint, default_value = "127.0.0.1:50051")]
    pub(crate) address: Endpoint,

    /// What makes this import the same when it is run again: a line is created once for each import id. Without it the
    /// name of the file without its folders, and for standard input a new id, which is shown.
    #[arg(long, value_name = "TEXT")]
    pub(crate) import_id: Option<String>,

    /// Write the lines that were refused to this file, as CSV: line, content, reason, field and rule, with a row for each
    /// field that breaks a rule.
    #[arg(long, value_name = "FILE")]
    pub(crate) refused: Option<PathBuf>,

    /// For how long to try again, in seconds, while the service can't be reached or does nothing.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub(crate) patience: u32,
}

const EXIT_STATUS: &str = "\
Exit status:
  0   every line is created
  1   all others are created, some are refused
  2   it could not be finished; run it again to go on
  64  wrong arguments, or a file that can't be read as described; nothing was done";

/// Where to connect to; the text is an authority with a port and nothing besides.
fn endpoint(text: &str) -> Result<Endpoint, &'static str> {
    const RULE: &str = "an address has the form host:port";
    let endpoint = Endpoint::from_shared(format!("http://{text}")).map_err(|_| RULE)?;
    let authority = endpoint.uri().authority();
    let is_all = authority.is_some_and(|it| it == text && it.port_u16().is_some());
    if !is_all || text.contains('@') {
        return Err(RULE);
    }
    Ok(endpoint
        .connect_timeout(Duration::from_secs(5))
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10)))
}
