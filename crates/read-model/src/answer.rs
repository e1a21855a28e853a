//! What scripts answer, taken apart.

use fred::bytes::Bytes;

use crate::error::Error;

/// The first word of a script's answer.
pub(crate) fn kind(answer: &[Option<Bytes>]) -> &[u8] {
    answer
        .first()
        .and_then(Option::as_deref)
        .unwrap_or_default()
}

/// The items whose numbers a script answered with.
pub(crate) fn numbered<'a, T>(
    numbers: &'a [Option<Bytes>],
    items: &'a [T],
) -> impl Iterator<Item = &'a T> {
    numbers.iter().flatten().filter_map(|number| {
        let number: usize = std::str::from_utf8(number).ok()?.parse().ok()?;
        items.get(number)
    })
}

pub(crate) fn number(key: &str, stored: &[u8]) -> Result<u64, Error> {
    std::str::from_utf8(stored)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::unreadable(key, "it is not a number"))
}

pub(crate) fn unknown_answer(key: &str) -> Error {
    Error::unreadable(key, "the script's answer is unknown")
}
