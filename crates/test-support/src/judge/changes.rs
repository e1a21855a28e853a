//! The stream of changes against the log.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Difference;
use super::fold::{Change, Fold};
use super::found::Value;
use super::options::Options;

const FIELDS: [&str; 5] = ["type", "circle_id", "version", "event_id", "document"];

/// The changes of one partition.
pub(super) struct Partition<'a> {
    pub(super) fold: &'a Fold,
    pub(super) options: &'a Options,
    pub(super) number: usize,
    pub(super) key: &'a str,
}

impl Partition<'_> {
    /// What is not after the floor is nobody's business. After it there is every event, exactly;
    /// corrections may be there; and whoever takes all of them in, in their order, has the present
    /// document of each circle that they tell of.
    pub(super) fn compare(
        &self,
        stream: Option<&Value>,
        floor: Option<&Value>,
        differences: &mut Vec<Difference>,
    ) {
        let mut differs = |what: String| differences.push(Difference::new(self.key, what));
        let floor = match floor {
            None => 0,
            Some(Value::Text(text)) if text.parse::<u64>().is_ok_and(|n| n <= self.fold.head()) => {
                text.parse().unwrap_or_default()
            }
            Some(other) => return differs(format!("the floor is {other:?}")),
        };
        let entries = match stream {
            None => &[],
            Some(Value::Entries(entries)) => entries.as_slice(),
            Some(other) => return differs(format!("found {other:?}")),
        };

        let mut missing: BTreeMap<u64, &Change> = self
            .fold
            .changes
            .iter()
            .filter(|change| change.sequence > floor && self.has(&change.circle_id))
            .map(|change| (change.sequence, change))
            .collect();
        let mut told: BTreeMap<&str, &str> = BTreeMap::new();
        for (id, fields) in entries {
            let Some(place) = place(id) else {
                differs(format!("an entry {id}"));
                continue;
            };
            if place <= (floor, 0) {
                continue;
            }
            let Some(values) = values(fields) else {
                differs(format!("{id} has the fields {fields:?}"));
                continue;
            };
            told.insert(values[1], values[4]);
            match place {
                (sequence, 0) => match missing.remove(&sequence) {
                    Some(change) if change.fields == values => {}
                    Some(change) => {
                        let expected = &change.fields;
                        differs(format!("{id}: found {values:?}, expected {expected:?}"));
                    }
                    None => differs(format!("{id}: found {values:?}, expected nothing")),
                },
                (sequence, _) => {
                    if sequence > self.fold.head() || !self.may_be_correction(values) {
                        differs(format!("{id}: found {values:?}"));
                    }
                }
            }
        }

        let mut to_tell: BTreeSet<&str> = told.keys().copied().collect();
        for (sequence, change) in missing {
            if self.options.caught_up.contains(&change.circle_id) {
                to_tell.insert(&change.circle_id);
            } else {
                differs(format!("no entry {sequence}-0, after the floor {floor}"));
            }
        }
        for id in to_tell {
            let (last, present) = (told.get(id), self.fold.document(id).unwrap_or_default());
            if last.is_none_or(|last| *last != present) {
                differs(format!("the last of {id} is {last:?}, not {present:?}"));
            }
        }
    }

    fn has(&self, circle_id: &str) -> bool {
        self.options.partition_of(circle_id) == self.number
    }

    fn may_be_correction(&self, [kind, id, version, event_id, document]: [&str; 5]) -> bool {
        let start = format!(r#"{{"id":"{id}","name":"#);
        let end = format!(r#","version":{version}}}"#);
        kind == "corrected"
            && self.has(id)
            && (version.is_empty() || version.parse::<u32>().is_ok_and(|version| version > 0))
            && event_id.is_empty()
            && (document.is_empty() || document.starts_with(&start) && document.ends_with(&end))
    }
}

/// Sequence and correction.
fn place(id: &str) -> Option<(u64, u64)> {
    let (sequence, correction) = id.split_once('-')?;
    Some((sequence.parse().ok()?, correction.parse().ok()?))
}

/// The values of the five fields, where they are these in this order.
fn values(fields: &[String]) -> Option<[&str; 5]> {
    let names = fields.iter().step_by(2);
    let values: Vec<&str> = fields
        .iter()
        .skip(1)
        .step_by(2)
        .map(String::as_str)
        .collect();
    names.eq(FIELDS).then_some(())?;
    values.try_into().ok()
}
