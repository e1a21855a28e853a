//! The command service as its clients see it, on real MariaDB and real MySQL.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as tests do"
)]

mod answers;
mod configuration;
mod failures;
mod fields;
mod import;
mod lifecycle;
mod log;
mod metrics;
mod races;
mod records;
mod retries;
mod service;
