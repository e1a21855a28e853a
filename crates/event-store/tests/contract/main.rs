//! The contract of the event store, on real MariaDB and real MySQL.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod append;
mod cost;
mod crash;
mod load;
mod log;
mod setup;
mod support;
mod trouble;
