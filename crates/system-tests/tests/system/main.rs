//! The three services together, as processes, as a user runs them.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod client;
mod clients;
mod crashes;
mod documents;
mod freshness;
mod idle;
mod lost;
mod metrics;
mod rolling;
mod security;
mod starts;
mod support;
mod torture;
mod traces;
