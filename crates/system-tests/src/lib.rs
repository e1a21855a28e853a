//! The three services together, as processes, as a user runs them. The tests are in `tests`.
//!
//! Here is what judges a torture run (`tests/system/torture`): the [`history`] of what clients asked
//! and were told, the [`log`] as it is in the end, and the [`checks`] that hold the one against
//! the other. The watches of other tests keep what they are told in [`seen`], which checks its order.
//! None of it does any I/O, so each check is itself checked with planted faults.

pub mod checks;
pub mod evidence;
pub mod history;
pub mod log;
pub mod seen;
