//! The projector: tails the log by sequence and keeps the read models.
//!
//! [`Projector::step`] reads one page of the log and applies it in one atomic step together with
//! the checkpoint; the rest is a trivial loop around it. `fold` computes what a page does,
//! as a pure function.

mod admin;
pub mod config;
mod fold;
mod progress;
mod project;
mod start;

pub use project::{Projector, Step, StepError};
pub use start::{RunError, run};
