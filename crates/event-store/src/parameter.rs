//! A batch as one bound parameter, which the statement takes apart with JSON_TABLE: so its text
//! never changes with the size of the batch.

use serde::Serialize;

/// The parameter's text.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value)
        .expect("numbers and strings under fixed keys always have a JSON form")
}
