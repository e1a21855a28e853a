//! The command service: validates commands, decides, appends to the log in groups, and answers.
//!
//! `grpc` turns requests into domain values and outcomes into statuses; `commands` knows
//! neither protos nor SQL.

mod commands;
pub mod config;
mod failure;
mod grpc;
mod metrics;
mod start;

pub use start::{RunError, run};
