//! The projector on real servers: in the end, the read models are what an independent replay
//! of the log computes, whatever happened on the way.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod admin;
mod configuration;
mod damage;
mod exactly_once;
mod failover;
mod metrics;
mod served;
mod support;
