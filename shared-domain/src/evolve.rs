//! What events make of a circle.

use thiserror::Error;

use crate::{ActiveCircle, Circle, CircleEvent, Version};

/// Folds one event into a circle. The version grows by one.
///
/// # Errors
///
/// [`Misfit`] where the event cannot follow the state. [`decide`] never makes
/// such an event: only a damaged log has one.
///
/// [`decide`]: crate::decide()
pub fn evolve(circle: Circle, event: &CircleEvent) -> Result<Circle, Misfit> {
    let version = circle.next_version().ok_or(Misfit::VersionsUsedUp)?;
    match (circle, event) {
        (Circle::Absent, CircleEvent::CircleCreated { name, capacity }) => {
            Ok(Circle::Active(ActiveCircle {
                name: name.clone(),
                capacity: *capacity,
                version,
            }))
        }
        (Circle::Absent, event) => Err(Misfit::BeforeCreation {
            event_type: event.event_type(),
        }),
        (Circle::Active(circle), CircleEvent::CircleUpdated { name, capacity }) => {
            Ok(Circle::Active(ActiveCircle {
                name: name.clone().unwrap_or(circle.name),
                capacity: capacity.unwrap_or(circle.capacity),
                version,
            }))
        }
        (Circle::Active(_), CircleEvent::CircleDeleted { .. }) => Ok(Circle::Deleted { version }),
        (Circle::Active(_), CircleEvent::CircleCreated { .. }) => Err(Misfit::CreatedTwice),
        (Circle::Deleted { .. }, event) => Err(Misfit::AfterDeletion {
            event_type: event.event_type(),
        }),
    }
}

/// Folds the whole history of a circle, from its creation on.
///
/// # Errors
///
/// See [`ReplayError`].
pub fn replay<'a>(
    events: impl IntoIterator<Item = (Version, &'a CircleEvent)>,
) -> Result<Circle, ReplayError> {
    Circle::Absent.replay_onto(events)
}

impl Circle {
    /// Folds the events that follow this state, as when they come after a
    /// snapshot. Without events it stays as it is.
    ///
    /// # Errors
    ///
    /// See [`ReplayError`].
    pub fn replay_onto<'a>(
        self,
        events: impl IntoIterator<Item = (Version, &'a CircleEvent)>,
    ) -> Result<Self, ReplayError> {
        events
            .into_iter()
            .try_fold(self, |circle, (version, event)| {
                if let Some(expected) = circle.next_version()
                    && expected != version
                {
                    return Err(ReplayError::OtherVersion {
                        expected,
                        found: version,
                    });
                }
                evolve(circle, event).map_err(|misfit| ReplayError::Misfit { version, misfit })
            })
    }
}

/// An event that cannot follow the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Misfit {
    /// Something happened to a circle that was not created.
    #[error("{event_type} before the circle was created")]
    BeforeCreation {
        /// The type of the event.
        event_type: &'static str,
    },
    /// The circle was created again.
    #[error("the circle was created twice")]
    CreatedTwice,
    /// Something happened to a circle that was deleted.
    #[error("{event_type} after the circle was deleted")]
    AfterDeletion {
        /// The type of the event.
        event_type: &'static str,
    },
    /// The circle has the largest version there is.
    #[error("the circle has no version left")]
    VersionsUsedUp,
}

/// A history that cannot be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// An event is missing, repeated or out of order.
    #[error("expected the event of version {expected}, found that of version {found}")]
    OtherVersion {
        /// The version that follows the state.
        expected: Version,
        /// The version of the event.
        found: Version,
    },
    /// An event cannot follow those before it.
    #[error("the event of version {version} does not fit")]
    Misfit {
        /// The version of the event.
        version: Version,
        /// Why it does not fit.
        #[source]
        misfit: Misfit,
    },
}
