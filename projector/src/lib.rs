//! The projector: tails the log by sequence and keeps the read models.
//!
//! [`Projector::step`] reads one page of the log and applies it in one atomic step together with
//! the checkpoint; `lead` is a trivial loop around it, while a lease is held. `fold` computes
//! what a page does, as pure functions. What is out of the ordinary is done between two steps
//! (`order`): circles are folded anew (`mend`), the read models go back with a log that lost its
//! tail (`rewind`), or are replaced by others built beside them (`spare`, `rebuild`).

// Tests here use what those in `tests` do.
#[cfg(test)]
extern crate self as projector;

mod admin;
mod apply;
mod audit;
pub mod config;
mod failure;
mod fill;
mod find;
mod fold;
mod gather;
mod lead;
mod mend;
mod metrics;
mod order;
mod page;
mod progress;
mod project;
mod rebuild;
mod rewind;
mod spare;
mod start;
mod state;
#[cfg(test)]
#[path = "../tests/projection/support.rs"]
#[allow(dead_code, reason = "most of it is for the tests of the projector")]
mod support;
mod task;

pub use project::{Counts, Options, Projector, Step, StepError};
pub use start::{RunError, run};
