//! The program as its users run it, against the service and real databases.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod interruptions;
mod program;
mod reports;
mod security;
mod service;
mod usage;
