//! What the README promises, to be held against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Holds the table of configuration against a service: `service` is its letter in the table, `required` a value for each
/// variable that must be set, `names` all variables that it reads. What `read` makes of the required ones alone is
/// what it makes of them with every documented default.
///
/// # Panics
///
/// When they differ.
pub fn assert_documented(
    service: &str,
    required: &[(&str, &str)],
    mut names: BTreeSet<String>,
    read: impl Fn(&BTreeMap<&str, &str>) -> String,
) {
    let documented = configuration(service);
    for (name, _) in required {
        names.remove(&format!("{name}_FILE"));
    }
    assert_eq!(names, documented.keys().cloned().collect());

    let required: BTreeMap<&str, &str> = required.iter().copied().collect();
    let mut defaults = required.clone();
    for (name, default) in &documented {
        match default.as_str() {
            "" => {}
            "required" => assert!(required.contains_key(name.as_str()), "{name}"),
            default => drop(defaults.insert(name, default)),
        }
    }
    assert_eq!(read(&defaults), read(&required));
}

/// The variables of one service by name, each with its default as the README's table of configuration has it:
/// `required` for one that must be set, nothing for one that has no default. `service` is the letter that the
/// table uses.
///
/// A variable for secrets stands for its `_FILE` variant, too.
///
/// # Panics
///
/// When the README or its table is not found.
#[must_use]
pub fn configuration(service: &str) -> BTreeMap<String, String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README is there");
    let (_, table) = readme
        .split_once("| variable | for | default | meaning |")
        .expect("the README has a table of configuration");
    let rows = table.lines().skip(2).take_while(|row| row.starts_with('|'));
    let mut variables = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, services, default, ..] = cells[..] else {
            panic!("not a row of the table: {row}")
        };
        if services.split(' ').any(|letter| letter == service) {
            let text = |cell: &str| cell.trim_matches('`').to_owned();
            variables.insert(text(name), text(default));
        }
    }
    variables
}
