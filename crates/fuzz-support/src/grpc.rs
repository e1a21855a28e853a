//! Requests, and how they are refused.

use std::fmt::Debug;

use proptest::prelude::*;
use prost::Message;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A message from `fields` that almost are what they should be, or from bytes that almost are one of `samples`. What is
/// no message comes as the empty one.
pub fn messages<M: Message + Debug + Default + 'static>(
    samples: impl IntoIterator<Item = M>,
    fields: impl Strategy<Value = M> + 'static,
) -> BoxedStrategy<M> {
    let encoded = samples.into_iter().map(|sample| sample.encode_to_vec());
    let decoded = crate::bytes(encoded);
    let decoded = decoded.prop_map(|bytes| M::decode(bytes.as_slice()).unwrap_or_default());
    prop_oneof![decoded, fields].boxed()
}

/// A refusal is told to be one of the arguments; it names a field at least and so many at `most`, and does not grow with what
/// was sent.
///
/// # Errors
///
/// [`TestCaseError`] tells which of that is not so.
pub fn check_refused(status: &Status, most: usize) -> Result<(), TestCaseError> {
    prop_assert_eq!(status.code(), Code::InvalidArgument);
    prop_assert!(status.message().len() < 4_096);
    let details = status.get_details_bad_request();
    let violations = details.map(|it| it.field_violations).unwrap_or_default();
    prop_assert!(
        (1..=most).contains(&violations.len()),
        "{} violations",
        violations.len()
    );
    prop_assert!(
        violations
            .iter()
            .all(|it| !it.field.is_empty() && it.description.len() < 200)
    );
    Ok(())
}
