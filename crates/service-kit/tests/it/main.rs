//! The kit as a service uses it: a real server on a port of its own, a real process.

#![allow(clippy::unwrap_used)] // Helpers are tests too, which clippy does not see.

mod auth;
mod calls;
mod connections;
mod drain;
mod metrics;
mod program;
mod raw;
mod served;
mod support;
mod tls;
