//! What a command does to a circle.

use thiserror::Error;

use crate::{ActiveCircle, Capacity, Circle, CircleEvent, CircleName, DeletionReason, Version};

/// What somebody wants to happen to a circle.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Make it.
    Create {
        /// Its name.
        name: CircleName,
        /// Its capacity.
        capacity: Capacity,
    },
    /// Change the fields that are given.
    Update {
        /// The new name, if it shall change.
        name: Option<CircleName>,
        /// The new capacity, if it shall change.
        capacity: Option<Capacity>,
        /// The version that it must have now; none for whatever it is.
        expected: Option<Version>,
    },
    /// Delete it for good.
    Delete {
        /// Why, if that is said.
        reason: Option<DeletionReason>,
        /// The version that it must have now; none for whatever it is.
        expected: Option<Version>,
    },
}

/// Why a command cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A circle with this id is, or was, there.
    #[error("the circle already exists")]
    AlreadyExists,
    /// There is no such circle.
    #[error("there is no such circle")]
    NotFound,
    /// The circle is deleted and takes no further command.
    #[error("the circle is deleted")]
    Deleted,
    /// The circle has another version than the command expects.
    #[error("the circle has version {present} now")]
    VersionMismatch {
        /// The version that it has.
        present: Version,
    },
}

/// Decides what a command does to a circle: the event to record, or none
/// where an update changes nothing.
///
/// # Errors
///
/// [`Refusal`], where the state does not allow the command. Whether the circle
/// can change at all comes before the version that the command expects.
pub fn decide(circle: &Circle, command: &Command) -> Result<Option<CircleEvent>, Refusal> {
    match command {
        Command::Create { name, capacity } => match circle {
            Circle::Absent => Ok(Some(CircleEvent::CircleCreated {
                name: name.clone(),
                capacity: *capacity,
            })),
            Circle::Active(_) | Circle::Deleted { .. } => Err(Refusal::AlreadyExists),
        },
        Command::Update {
            name,
            capacity,
            expected,
        } => {
            let present = active(circle, *expected)?;
            let name = name.clone().filter(|name| *name != present.name);
            let capacity = capacity.filter(|capacity| *capacity != present.capacity);
            let changes = name.is_some() || capacity.is_some();
            Ok(changes.then_some(CircleEvent::CircleUpdated { name, capacity }))
        }
        Command::Delete { reason, expected } => {
            active(circle, *expected)?;
            Ok(Some(CircleEvent::CircleDeleted {
                reason: reason.clone(),
            }))
        }
    }
}

/// The circle, if it lives and has the version that the command expects.
fn active(circle: &Circle, expected: Option<Version>) -> Result<&ActiveCircle, Refusal> {
    match circle {
        Circle::Absent => Err(Refusal::NotFound),
        Circle::Deleted { .. } => Err(Refusal::Deleted),
        Circle::Active(circle) if expected.is_none_or(|version| version == circle.version) => {
            Ok(circle)
        }
        Circle::Active(circle) => Err(Refusal::VersionMismatch {
            present: circle.version,
        }),
    }
}
