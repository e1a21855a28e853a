//! The event log in MySQL, the system's only source of truth.
//!
//! Everything that speaks SQL is here, and nothing else is: [`EventStore`] loads
//! circles and tails the log, [`Writer`] appends to it in groups, [`migrate()`] makes
//! the tables. All statements are static texts beside their use; values travel as
//! bound parameters only, so the set of prepared statements is closed.
//!
//! # The order of the log
//!
//! An append takes the one row of `log_head` and holds it until its commit. InnoDB lets
//! the row go only after the transaction has become visible. So sequences have no
//! holes, appear in order, and whoever sees event n sees all events before it. While
//! the row is held nobody else appends, so what an append reads under it is exact.

mod append;
mod cache;
mod catch_up;
mod config;
mod durability;
mod error;
mod figures;
#[cfg(test)]
mod input_properties;
mod load;
mod log;
mod migrate;
mod parameter;
mod plan;
mod snapshots;
mod store;
mod submission;
mod worker;
mod writer;

pub use config::Config;
pub use durability::Unsafe;
pub use error::{Damage, StoreError};
pub use figures::{Batch, Figures};
pub use load::StoredCircle;
pub use log::LogEntry;
pub use migrate::{MigrateError, migrate};
pub use store::{EventStore, SetupError};
pub use submission::{Fresh, Outcome, Submission};
pub use writer::{SubmitError, Writer, WriterOptions, WriterTask};
