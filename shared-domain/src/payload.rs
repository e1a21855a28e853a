//! How the log keeps an event: a JSON object such as
//! `{"type":"circle_updated","capacity":30}`.
//!
//! What was once written is read for ever. `samples/` keeps payloads of every
//! schema of every event. To change the form of an event: raise its number in
//! `form`, let [`encode`] write it as `"schema"`, lift the older form in
//! `upcast`, and add samples. Payloads of the first schema carry no number.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::{Capacity, CircleEvent, CircleName, DeletionReason};

/// Writes an event in the present schema. Absent options are left out.
#[must_use]
pub fn encode(event: &CircleEvent) -> String {
    serde_json::to_string(&Stored::from(event.clone()))
        .expect("strings and numbers under fixed keys always have a JSON form")
}

/// Reads the payload of an event whose type the log calls `event_type`, in
/// whatever schema it was written. The order of keys and white space do not
/// matter, since a database may rewrite them.
///
/// # Errors
///
/// [`PayloadError`]; an unknown field is an error too, since the fact that a
/// newer writer put there must not be lost silently.
pub fn decode(event_type: &str, payload: &str) -> Result<CircleEvent, PayloadError> {
    let form = form(event_type).ok_or_else(|| PayloadError::UnknownEventType {
        event_type: event_type.to_owned(),
    })?;
    // Nearly all payloads are of the present schema and are read at once. One that is not goes the
    // long way, which also tells what is wrong with it.
    if form.schema == FIRST
        && payload.starts_with('{')
        && let Ok(stored) = serde_json::from_str::<Stored>(payload)
        && stored.tag() == form.tag
    {
        return event(stored);
    }
    let mut fields: Map<String, Value> = serde_json::from_str(payload)?;
    if let Some(Value::String(found)) = fields.get("type")
        && found != form.tag
    {
        return Err(PayloadError::OtherType {
            event_type: event_type.to_owned(),
            found: found.clone(),
        });
    }
    let written = match fields.remove("schema") {
        None => FIRST,
        Some(number) => u32::deserialize(number)?,
    };
    let fields = upcast(&form, written, fields)?;
    event(Stored::deserialize(Value::Object(fields))?)
}

fn event(stored: Stored) -> Result<CircleEvent, PayloadError> {
    match stored.into() {
        CircleEvent::CircleUpdated {
            name: None,
            capacity: None,
        } => Err(PayloadError::EmptyUpdate),
        event => Ok(event),
    }
}

/// The schema of payloads that carry no number.
const FIRST: u32 = 1;

/// How the payloads of one event type are written now.
struct Form {
    /// What `"type"` says in every schema.
    tag: &'static str,
    /// The present schema; counts from 1.
    schema: u32,
}

/// The present form of an event type, if there is such a type.
fn form(event_type: &str) -> Option<Form> {
    let (tag, schema) = match event_type {
        "CircleCreated" => ("circle_created", 1),
        "CircleUpdated" => ("circle_updated", 1),
        "CircleDeleted" => ("circle_deleted", 1),
        _ => return None,
    };
    Some(Form { tag, schema })
}

/// Lifts the fields of a payload from the schema it was written in to the
/// present one.
fn upcast(
    form: &Form,
    written: u32,
    fields: Map<String, Value>,
) -> Result<Map<String, Value>, PayloadError> {
    match written.cmp(&form.schema) {
        Ordering::Equal => Ok(fields),
        Ordering::Greater => Err(PayloadError::NewerSchema {
            written,
            present: form.schema,
        }),
        // Older schemas are lifted here, one step at a time: from 1 to 2, from
        // 2 to 3. So far there is only the first, and none below it.
        Ordering::Less => Err(PayloadError::UnknownSchema { written }),
    }
}

/// The present form of all payloads. It is kept apart from [`CircleEvent`] so
/// that a change there cannot change what the log holds.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
enum Stored {
    #[serde(rename = "circle_created")]
    Created {
        name: CircleName,
        capacity: Capacity,
    },
    #[serde(rename = "circle_updated")]
    Updated {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<CircleName>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capacity: Option<Capacity>,
    },
    #[serde(rename = "circle_deleted")]
    Deleted {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<DeletionReason>,
    },
}

impl Stored {
    /// What `"type"` says.
    const fn tag(&self) -> &'static str {
        match self {
            Self::Created { .. } => "circle_created",
            Self::Updated { .. } => "circle_updated",
            Self::Deleted { .. } => "circle_deleted",
        }
    }
}

impl From<CircleEvent> for Stored {
    fn from(event: CircleEvent) -> Self {
        match event {
            CircleEvent::CircleCreated { name, capacity } => Self::Created { name, capacity },
            CircleEvent::CircleUpdated { name, capacity } => Self::Updated { name, capacity },
            CircleEvent::CircleDeleted { reason } => Self::Deleted { reason },
        }
    }
}

impl From<Stored> for CircleEvent {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Created { name, capacity } => Self::CircleCreated { name, capacity },
            Stored::Updated { name, capacity } => Self::CircleUpdated { name, capacity },
            Stored::Deleted { reason } => Self::CircleDeleted { reason },
        }
    }
}

/// A payload that cannot be read.
#[derive(Debug, Error)]
pub enum PayloadError {
    /// The log names a type of event that is not known here; a newer writer's,
    /// perhaps.
    #[error("events of the type {event_type:?} are not known here")]
    UnknownEventType {
        /// The type that the log names.
        event_type: String,
    },
    /// The payload calls itself another event than the log does.
    #[error("the payload of a {event_type} calls itself {found:?}")]
    OtherType {
        /// The type that the log names.
        event_type: String,
        /// The `"type"` of the payload.
        found: String,
    },
    /// A newer writer wrote it.
    #[error("the payload has schema {written}; the newest one known here is {present}")]
    NewerSchema {
        /// The schema of the payload.
        written: u32,
        /// The newest schema of such events that is known here.
        present: u32,
    },
    /// Nobody ever wrote this schema.
    #[error("the payload has schema {written}, which never existed")]
    UnknownSchema {
        /// The schema of the payload.
        written: u32,
    },
    /// An update that sets no field.
    #[error("the update sets no field")]
    EmptyUpdate,
    /// It is no JSON, has a field too many or too few, or a value that breaks
    /// a rule.
    #[error("the payload is malformed")]
    Malformed(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests;
