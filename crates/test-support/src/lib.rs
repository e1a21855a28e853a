//! Real servers for tests: a database and a key space for each.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "all of this runs in tests, where a panic is the way to fail"
)]

pub mod certificates;
pub mod hosted;
pub mod judge;
pub mod metrics;
pub mod mysql;
pub mod process;
pub mod proxy;
pub mod readme;
pub mod redis;
pub mod secrets;
pub mod server;
mod signal;
pub mod tokens;
pub mod without_clock;
