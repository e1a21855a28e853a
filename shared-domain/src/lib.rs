//! Circles, their events, and the rules, as pure functions.
//!
//! A [`Command`] and the present [`Circle`] go into [`decide()`], which answers
//! with the event to record, with nothing, or with a [`Refusal`]. [`evolve()`]
//! folds an event into the circle, [`replay`] a whole history. The value types
//! cannot hold a value that breaks a rule, so nothing past the edge of a
//! service checks one again.
//!
//! [`payload`] and [`snapshot`] are the stored formats. Nothing here does IO,
//! reads a clock, draws a random number or panics: times and ids come in with
//! the call.

mod capacity;
mod circle;
mod decide;
mod event;
mod evolve;
mod id;
mod name;
mod name_prefix;
pub mod payload;
mod reason;
mod recorded;
mod sequence;
pub mod snapshot;
mod text;
mod version;

pub use capacity::{Capacity, InvalidCapacity};
pub use circle::{ActiveCircle, Circle};
pub use decide::{Command, Refusal, decide};
pub use event::CircleEvent;
pub use evolve::{Misfit, ReplayError, evolve, replay};
pub use id::{CircleId, EventId, InvalidId};
pub use name::CircleName;
pub use name_prefix::{InvalidNamePrefix, NamePrefix};
pub use payload::PayloadError;
pub use reason::DeletionReason;
pub use recorded::{Metadata, RecordedEvent};
pub use sequence::Sequence;
pub use snapshot::SnapshotError;
pub use text::InvalidText;
pub use version::{InvalidVersion, Version};
