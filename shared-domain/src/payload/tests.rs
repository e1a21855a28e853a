//! The kept samples are complete, and all of them are still read.

use std::collections::BTreeSet;
use std::fs;
use std::iter::successors;
use std::path::{Path, PathBuf};

use super::*;

/// A payload that was once written and has to be read for ever.
struct Sample {
    file: PathBuf,
    schema: u32,
    payload: String,
}

/// One event of every type: each names the one after it, and a new variant
/// does not compile until it has a place in the row.
fn one_of_every_type() -> impl Iterator<Item = CircleEvent> {
    let first = CircleEvent::CircleCreated {
        name: CircleName::new("football").unwrap(),
        capacity: Capacity::MIN,
    };
    successors(Some(first), |event| match event {
        CircleEvent::CircleCreated { .. } => Some(CircleEvent::CircleUpdated {
            name: None,
            capacity: Some(Capacity::MIN),
        }),
        CircleEvent::CircleUpdated { .. } => Some(CircleEvent::CircleDeleted { reason: None }),
        CircleEvent::CircleDeleted { .. } => None,
    })
}

/// The optional fields of an event, and whether each is set. Every field is
/// named, so that a new one does not compile until somebody has thought of it.
fn options(event: &CircleEvent) -> Vec<(&'static str, bool)> {
    match event {
        CircleEvent::CircleCreated {
            name: _,
            capacity: _,
        } => vec![],
        CircleEvent::CircleUpdated { name, capacity } => {
            vec![("name", name.is_some()), ("capacity", capacity.is_some())]
        }
        CircleEvent::CircleDeleted { reason } => vec![("reason", reason.is_some())],
    }
}

fn samples_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn samples_of(event_type: &str) -> Vec<Sample> {
    let folder = samples_folder().join(form(event_type).unwrap().tag);
    let sample = |file: PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap();
        let schema = name
            .strip_prefix('v')
            .and_then(|name| name.strip_suffix(".json"))
            .and_then(|name| name.split_once('-'))
            .and_then(|(schema, _)| schema.parse().ok())
            .unwrap_or_else(|| panic!("{}: not named v1-something.json", file.display()));
        let payload = fs::read_to_string(&file).unwrap();
        Sample {
            file,
            schema,
            payload,
        }
    };
    files_in(&folder).into_iter().map(sample).collect()
}

#[test]
fn every_schema_of_every_event_has_samples_with_and_without_each_option() {
    for event in one_of_every_type() {
        let event_type = event.event_type();
        let samples = samples_of(event_type);
        for schema in 1..=form(event_type).unwrap().schema {
            let events: Vec<_> = samples
                .iter()
                .filter(|sample| sample.schema == schema)
                .map(|sample| decode(event_type, &sample.payload).unwrap())
                .collect();
            assert!(!events.is_empty(), "{event_type} schema {schema}");
            for (option, _) in options(&event) {
                for set in [true, false] {
                    assert!(
                        events
                            .iter()
                            .any(|event| options(event).contains(&(option, set))),
                        "{event_type} schema {schema}: no sample where set({option}) is {set}",
                    );
                }
            }
        }
    }
}

#[test]
fn every_sample_is_read_as_the_schema_that_its_file_names() {
    for event in one_of_every_type() {
        let event_type = event.event_type();
        for Sample {
            file,
            schema,
            payload,
        } in samples_of(event_type)
        {
            let value: Value = serde_json::from_str(&payload).unwrap();
            let written = value.get("schema").map_or(Some(1), Value::as_u64);
            assert_eq!(written, Some(u64::from(schema)), "{}", file.display());

            let event = decode(event_type, &payload)
                .unwrap_or_else(|error| panic!("{}: {error:?}", file.display()));
            assert_eq!(event.event_type(), event_type);
            if schema == form(event_type).unwrap().schema {
                let again: Value = serde_json::from_str(&encode(&event)).unwrap();
                assert_eq!(again, value, "{}", file.display());
            }
        }
    }
}

#[test]
fn no_sample_is_orphaned() {
    let known: BTreeSet<_> = one_of_every_type()
        .map(|event| samples_folder().join(form(event.event_type()).unwrap().tag))
        .collect();
    let kept: BTreeSet<_> = files_in(&samples_folder()).into_iter().collect();
    assert_eq!(kept, known);
}

#[test]
fn an_event_is_written_under_the_tag_of_its_type() {
    for event in one_of_every_type() {
        let value: Value = serde_json::from_str(&encode(&event)).unwrap();
        let form = form(event.event_type()).unwrap();
        assert_eq!(value["type"], form.tag);
        let written = value.get("schema").map_or(Some(1), Value::as_u64);
        assert_eq!(written, Some(u64::from(form.schema)));
    }
}
