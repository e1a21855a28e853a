//! Reading what happened to a circle, and how it was.

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use fred::bytes::Bytes;
use fred::types::{Key, Value};
use shared_domain::{CircleId, Sequence, Version};

use crate::answer::{number, unknown_answer};
use crate::checkpoint::Checkpoint;
use crate::circles::check_parked;
use crate::document::Document;
use crate::error::Error;
use crate::history::HistoryEntry;
use crate::reader::{Found, Reader};

/// Which page of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The page begins behind this version in its direction, not at the
    /// history's beginning.
    pub after: Option<Version>,
    /// The latest first.
    pub descending: bool,
    /// How many entries at most, taken as 1 where it is 0.
    pub limit: u32,
}

/// A page of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    /// The entries in their order.
    pub entries: Vec<HistoryEntry>,
    /// Behind which version the next page begins; none after the last page.
    pub next: Option<Version>,
}

/// A moment in a circle's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Right after the event of a version.
    Version(Version),
    /// A time: after every event that had occurred by then.
    Time(DateTime<Utc>),
}

/// A circle at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Past {
    /// As it was.
    Circle(Document),
    /// It was not created yet, or deleted, or never was.
    Absent,
    /// It does not have the version yet.
    NoVersion,
}

impl Reader {
    /// What happened to a circle; none where it never was. A deleted circle has
    /// its history.
    ///
    /// # Errors
    ///
    /// [`Error`]; [`Error::NotBuilt`] where nothing can be said of any circle.
    pub async fn history(
        &self,
        id: CircleId,
        query: HistoryQuery,
    ) -> Result<Found<Option<HistoryPage>>, Error> {
        let limit = query.limit.max(1);
        let kind = if query.descending {
            "descending"
        } else {
            "ascending"
        };
        let after = query.after.map_or(0, Version::get);
        let arguments = [i64::from(after).into(), i64::from(limit).into()];
        let Answer {
            length,
            mut entries,
            sequence,
        } = self.past(id, kind, arguments).await?;
        if length == 0 {
            return Ok(Found {
                value: None,
                sequence,
            });
        }
        if query.descending {
            entries.reverse();
        }
        let end = if query.descending { 1 } else { length };
        let next = entries
            .last()
            .map(|entry| entry.version)
            .filter(|version| u64::from(version.get().unsigned_abs()) != end);
        Ok(Found {
            value: Some(HistoryPage { entries, next }),
            sequence,
        })
    }

    /// A circle as it was at some moment.
    ///
    /// # Errors
    ///
    /// As [`Reader::history`].
    pub async fn as_of(&self, id: CircleId, moment: Moment) -> Result<Found<Past>, Error> {
        let answer = match moment {
            Moment::Version(version) => {
                let version = i64::from(version.get()).into();
                self.past(id, "version", [version]).await?
            }
            Moment::Time(time) => self.past(id, "time", [spelled(time).into()]).await?,
        };
        let value = match (answer.entries.first(), moment) {
            (Some(entry), _) => entry.document(id).map_or(Past::Absent, Past::Circle),
            (None, Moment::Version(_)) if answer.length > 0 => Past::NoVersion,
            (None, _) => Past::Absent,
        };
        Ok(Found {
            value,
            sequence: answer.sequence,
        })
    }

    async fn past<const N: usize>(
        &self,
        id: CircleId,
        kind: &'static str,
        what: [Value; N],
    ) -> Result<Answer, Error> {
        let keys = self.keys_of(id);
        let history = keys.history(id);
        let mut arguments: Vec<Value> = vec![id.to_string().into(), kind.into()];
        arguments.extend(what);
        let answer = self
            .past
            .call(
                &self.connection,
                [&keys.checkpoint, &keys.parked, &history]
                    .map(Key::from)
                    .into(),
                arguments,
            )
            .await?;
        let [_, checkpoint, parked, length, first, entries @ ..] = answer.as_slice() else {
            return Err(unknown_answer(&history));
        };
        let sequence = Checkpoint::sequence_of(keys, checkpoint.as_deref())?;
        check_parked(keys, id, parked.as_deref())?;
        let count = |text: &Option<Bytes>| number(&history, text.as_deref().unwrap_or_default());
        Ok(Answer {
            length: count(length)?,
            entries: decode(&history, count(first)?, entries)?,
            sequence,
        })
    }
}

/// What the script answered.
struct Answer {
    length: u64,
    entries: Vec<HistoryEntry>,
    sequence: Sequence,
}

fn decode(key: &str, first: u64, stored: &[Option<Bytes>]) -> Result<Vec<HistoryEntry>, Error> {
    stored
        .iter()
        .zip(first..)
        .map(|(stored, place)| {
            let entry = HistoryEntry::decode(key, stored.as_deref().unwrap_or_default())?;
            let found = entry.version;
            if u64::from(found.get().unsigned_abs()) == place {
                return Ok(entry);
            }
            let why = format!("version {found} is at place {place}");
            Err(Error::unreadable(key, why))
        })
        .collect()
}

/// A time as the entries of a history spell theirs, in years of four digits:
/// what is before or behind these is as good as their beginning or end.
fn spelled(time: DateTime<Utc>) -> String {
    match time.year() {
        ..0 => "0000-01-01T00:00:00.000000Z".to_owned(),
        0..=9999 => time.to_rfc3339_opts(SecondsFormat::Micros, true),
        _ => "9999-12-31T23:59:59.999999Z".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_at_one_length() {
        let time = |seconds, nanos| DateTime::from_timestamp(seconds, nanos).unwrap();
        for (time, expected) in [
            (time(0, 0), "1970-01-01T00:00:00.000000Z"),
            // What is more exact counts as its beginning.
            (time(0, 999_999_999), "1970-01-01T00:00:00.999999Z"),
            (time(-1, 1), "1969-12-31T23:59:59.000000Z"),
            (time(-62_167_219_200, 0), "0000-01-01T00:00:00.000000Z"),
            (time(-62_167_219_201, 0), "0000-01-01T00:00:00.000000Z"),
            (time(253_402_300_800, 0), "9999-12-31T23:59:59.999999Z"),
            (DateTime::<Utc>::MIN_UTC, "0000-01-01T00:00:00.000000Z"),
            (DateTime::<Utc>::MAX_UTC, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(spelled(time), expected);
        }
    }
}
