//! What is found against what is expected.

use std::collections::BTreeMap;
use std::fmt;

use super::changes;
use super::expected::expected;
use super::fold::Fold;
use super::found::{Value, World};
use super::options::Options;

/// Something in Redis that is not as the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub key: String,
    /// What is there, and what should be.
    pub what: String,
}

impl Difference {
    pub(super) fn new(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            what: what.into(),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.key, self.what)
    }
}

/// May be there or not, in every partition.
const UNCOMPARED: [&str; 2] = ["circles:revision", "circles:rewound"];

/// The same, in the first partition alone.
const UNCOMPARED_OF_ALL: [&str; 3] = ["circles:as_of", "circles:holes", "circles:lease"];

pub(super) fn compare(fold: &Fold, found: &World, options: &Options) -> Vec<Difference> {
    let mut differences = Vec::new();
    let expected = expected(fold, options);
    for key in expected.keys() {
        let (expected, found) = (expected.get(key), found.get(key));
        if found != expected {
            differences.push(Difference::new(key, describe(found, expected)));
        }
    }

    let mut allowed = Vec::new();
    for (partition, prefix) in options.prefixes().iter().enumerate() {
        let key = |name: &str| format!("{prefix}{name}");
        let first: &[&str] = if partition == 0 {
            &UNCOMPARED_OF_ALL
        } else {
            &[]
        };
        allowed.extend(UNCOMPARED.iter().chain(first).map(|name| key(name)));

        let parked = key("circles:parked");
        compare_parked(fold, found, options, partition, &parked, &mut differences);
        allowed.push(parked);

        let (stream, floor) = (key("circles:changes"), key("circles:changes:floor"));
        changes::Partition {
            fold,
            options,
            number: partition,
            key: &stream,
        }
        .compare(found.get(&stream), found.get(&floor), &mut differences);
        allowed.extend([stream, floor]);
    }

    for key in found.keys() {
        if expected.get(key).is_none() && !allowed.iter().any(|allowed| allowed == key) {
            differences.push(Difference::new(key, describe(found.get(key), None)));
        }
    }
    for key in found
        .expiring()
        .filter(|key| !key.ends_with("circles:lease"))
    {
        differences.push(Difference::new(key, "it has a time to live"));
    }
    differences
}

/// Both, where they are short; of long ones the first place where they differ.
fn describe(found: Option<&Value>, expected: Option<&Value>) -> String {
    let at = match (found, expected) {
        (Some(Value::List(found)), Some(Value::List(expected))) => first(found, expected),
        (Some(Value::Members(found)), Some(Value::Members(expected))) => first(found, expected),
        _ => None,
    };
    at.unwrap_or_else(|| {
        let value = |value: Option<&Value>| match value {
            Some(value) => format!("{value:?}"),
            None => "nothing".to_owned(),
        };
        format!("found {}, expected {}", value(found), value(expected))
    })
}

fn first<T: fmt::Debug + PartialEq>(found: &[T], expected: &[T]) -> Option<String> {
    let longest = found.len().max(expected.len());
    let at = (0..longest).find(|n| found.get(*n) != expected.get(*n))?;
    Some(format!(
        "at {at} of {} found {:?}, expected {:?} of {}",
        found.len(),
        found.get(at),
        expected.get(at),
        expected.len(),
    ))
}

/// The reason is whatever the projector says.
fn compare_parked(
    fold: &Fold,
    found: &World,
    options: &Options,
    partition: usize,
    key: &str,
    differences: &mut Vec<Difference>,
) {
    let mut expected: BTreeMap<&str, String> = BTreeMap::new();
    for (id, circle) in &fold.circles {
        if let Some((sequence, version)) = circle.parked
            && options.partition_of(id) == partition
        {
            let start = format!(r#"{{"sequence":{sequence},"version":{version},"reason":"#);
            expected.insert(id, start);
        }
    }
    let none = BTreeMap::new();
    let found = match found.get(key) {
        None => &none,
        Some(Value::Fields(fields)) => fields,
        other => return differences.push(Difference::new(key, describe(other, None))),
    };
    for (id, start) in &expected {
        let is_right = found.get(*id).is_some_and(|found| {
            let reason = found
                .strip_prefix(start)
                .and_then(|rest| rest.strip_suffix('}'));
            reason.is_some_and(|reason| serde_json::from_str::<String>(reason).is_ok())
        });
        if !is_right {
            let what = format!("{id}: found {:?}, expected {start}..}}", found.get(*id));
            differences.push(Difference::new(key, what));
        }
    }
    for (id, found) in found {
        if !expected.contains_key(id.as_str()) {
            let what = format!("{id}: found {found}, expected nothing");
            differences.push(Difference::new(key, what));
        }
    }
}
