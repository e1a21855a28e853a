//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::service;

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
    #[arg(long, value_name = "HOST:PORT", value_parser = service::address, default_value = "127.0.0.1:50051")]
    pub(crate) address: String,

    #[command(flatten)]
    pub(crate) security: Security,

    /// What makes this import the same when it is run again: a line is created once for each import id. Without it the
    /// name of the file without its folders, and for standard input a new id, which is shown.
    #[arg(long, value_name = "TEXT")]
    pub(crate) import_id: Option<String>,

    /// Write the lines that were refused to this file, as CSV: line, content, reason, field and rule, with a row for each
    /// field that breaks a rule.
    #[arg(long, value_name = "FILE")]
    pub(crate) refused: Option<PathBuf>,

    /// For how long to try again, in seconds, while the service can't be reached or does nothing.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) patience: u32,
}

/// What the service is asked for, and asks for.
#[derive(Debug, Args)]
pub(crate) struct Security {
    /// Speak TLS, and trust the authorities whose certificates are in this file, as PEM.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// The certificate for a service that asks for one, as PEM.
    #[arg(long, value_name = "FILE", requires_all = ["ca", "key"])]
    pub(crate) cert: Option<PathBuf>,

    /// The private key of the certificate, as PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,

    /// A file with the bearer token for a service that asks for one. It is read again for every connection, so it may be
    /// replaced while the import runs.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

const EXIT_STATUS: &str = "\
Exit status:
  0   every line is created
  1   all others are created, some are refused
  2   it could not be finished; run it again to go on
  64  wrong arguments, or a file that can't be read as described; nothing was done";
