//! What every service needs and none is about: configuration, telemetry, metrics, health, reflection, drain.
//!
//! A service's `main.rs` names itself with a [`program::Program`], reads its settings through a
//! [`config::Reader`] and hands its routes to a [`server::Server`]. Nothing here knows what a circle is.
#![forbid(unsafe_code)]

pub mod auth;
pub mod calls;
pub mod check;
pub mod config;
pub mod deadline;
mod files;
pub mod health;
mod incoming;
#[cfg(test)]
mod input_properties;
pub mod listeners;
mod methods;
pub mod metrics;
pub mod program;
mod rates;
pub mod server;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod tls;
pub mod trace;
