//! The query service: answers from the read models in Redis, and from nothing else.
//!
//! `grpc` turns requests into domain values; `queries` reads, and waits where a query asks for
//! a minimal sequence; a watch is fed by `read_model::Feed`.

pub mod config;
mod failure;
mod freshness;
mod grpc;
mod metrics;
mod queries;
mod start;

pub use start::{RunError, run};
