//! What the README promises, to be held against the code.

use std::collections::BTreeMap;
use std::path::Path;

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
