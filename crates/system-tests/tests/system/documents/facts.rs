//! What documents name.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use test_support::readme::configuration;

use super::machine::place;
use super::{DOCUMENTS, OPERATING, README, README_JA, read};

/// All that are written for people.
fn all() -> impl Iterator<Item = &'static str> {
    let others = ["ARCHITECTURE.md", "BENCHMARKS.md", "CHANGELOG.md"];
    DOCUMENTS.into_iter().chain(others)
}

/// What a command that is not run names of this repository: files, targets of make, packages of cargo.
pub(super) fn assert_names_what_exists(command: &str) {
    let words: Vec<&str> = command
        .split_whitespace()
        .flat_map(|word| word.split(['=', '"']))
        .collect();
    for pair in words.windows(2) {
        match *pair {
            ["make", target] => {
                let target = format!("\n{target}:");
                assert!(
                    read("Makefile").contains(&target),
                    "no such target: {command}"
                );
            }
            ["-p", name] if command.contains("make ") || command.contains("cargo ") => {
                let known = read("Cargo.lock").contains(&format!("\nname = \"{name}\"\n"));
                assert!(known, "no such package: {command}");
            }
            _ => {}
        }
    }
    for word in words {
        // From the folder of an example, and of a pattern the folder.
        let word = word.trim_start_matches("../");
        let word = word.split_once("/*").map_or(word, |(folder, _)| folder);
        let (first, rest) = word.split_once('/').unwrap_or(("", ""));
        // What the reader makes is not there yet.
        let made = word.contains('$') || word.starts_with("deploy/secrets");
        if !first.is_empty() && !rest.is_empty() && !made && place(first).is_dir() {
            assert!(place(word).exists(), "no such file: {word}: {command}");
        }
    }
}

#[test]
fn what_is_not_there_is_found_out() {
    for command in [
        "make tea",
        "make test ARGS=\"-p tea\"",
        "cat deploy/tea",
        "docker compose -f deploy/tea.yaml up",
        "prometheus --config.file=deploy/observability/tea.yml",
    ] {
        let judged = std::panic::catch_unwind(|| assert_names_what_exists(command));
        assert!(judged.is_err(), "{command}");
    }
}

#[test]
fn every_alert_has_a_heading_in_the_operators_guide() {
    let rules = read("deploy/observability/rules.yml");
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let alerts: Vec<&str> = alerts.collect();
    assert!(!alerts.is_empty());
    let guide = read(OPERATING);
    let headings: Vec<&str> = guide
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .filter(|heading| heading.starts_with("Circles"))
        .collect();
    assert_eq!(headings, alerts);
}

#[test]
fn every_variable_that_a_document_names_is_in_the_table() {
    let known: BTreeSet<String> = ["C", "P", "Q"]
        .into_iter()
        .flat_map(|service| configuration(service).into_keys())
        .collect();
    let is_known = |name: &str| match name.strip_suffix('_') {
        // As in CIRCLES_TLS_*.
        Some(_) => known.iter().any(|it| it.starts_with(name)),
        None => known.contains(name.strip_suffix("_FILE").unwrap_or(name)) || known.contains(name),
    };
    for document in all() {
        let text = read(document);
        for (at, _) in text.match_indices("CIRCLES_") {
            let end = |it: char| !(it.is_ascii_uppercase() || it == '_');
            let name = text[at..].split(end).next().unwrap_or_default();
            assert!(
                name.starts_with("CIRCLES_TEST_") || is_known(name),
                "{document} names {name}, which is not in the table"
            );
        }
    }
}

/// The cells of the rows of a document's tables, without those whose cells are for reading only.
fn cells(document: &str, columns: std::ops::Range<usize>) -> Vec<Vec<String>> {
    let text = read(document);
    let rows = text.lines().filter(|line| line.starts_with("| "));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let some = cells.get(columns.clone()).unwrap_or_default();
        some.iter().map(|it| (*it).to_owned()).collect()
    })
    .collect()
}

#[test]
fn both_languages_have_the_same_tables() {
    // Names, services and defaults of variables; reasons of failures; where promises are tested.
    for (columns, begin, end) in [(1..4, "`CIRCLES_", ""), (2..3, "`", "`"), (3..4, "`", "`")] {
        let of = |document| -> Vec<Vec<String>> {
            let rows = cells(document, columns.clone()).into_iter();
            let is_kept = |cell: &String| cell.starts_with(begin) && cell.ends_with(end);
            rows.filter(|row| row.first().is_some_and(is_kept))
                .map(|row| row.into_iter().map(untranslated).collect())
                .collect()
        };
        assert!(of(README).len() > 15);
        assert_eq!(of(README), of(README_JA));
    }
}

/// The one default that is a word.
fn untranslated(cell: String) -> String {
    match cell.as_str() {
        "必須" => "required".to_owned(),
        _ => cell.replace('、', ", "),
    }
}

/// The targets of links, but those to elsewhere.
fn links(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut links = Vec::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let mut rest = line;
        while let (false, Some((_, after))) = (fenced, rest.split_once("](")) {
            let (link, after) = after.split_once(')').unwrap_or((after, ""));
            links.push(link);
            rest = after;
        }
    }
    links.retain(|link| !link.contains("://"));
    links
}

/// What a heading is called in a link, as GitHub and Gitea do.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|it| it.is_alphanumeric() || " -_".contains(*it));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut anchors = BTreeSet::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if !fenced && line.starts_with('#') {
            anchors.insert(anchor(line.trim_start_matches('#')));
        }
    }
    anchors
}

/// Without `..`, as a file need not be where its links lead.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{} leads out", path.display()),
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn every_link_leads_somewhere() {
    for document in all() {
        let text = read(document);
        for link in links(&text) {
            let (path, at) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => PathBuf::from(document),
                path => plain(&Path::new(document).with_file_name(path)),
            };
            let target = target.to_str().unwrap();
            assert!(place(target).exists(), "{document}: no such file: {link}");
            assert!(
                at.is_empty() || anchors(&read(target)).contains(at),
                "{document}: no such heading: {link}"
            );
        }
    }
}

/// What a document writes as code, outside of blocks.
fn code(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut code = Vec::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if !fenced {
            code.extend(line.split('`').skip(1).step_by(2));
        }
    }
    code
}

/// The files of the repository, by their paths in it.
fn files() -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(place("").join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            let name = entry.file_name();
            if !entry.file_type().unwrap().is_dir() {
                files.push(format!("/{}", path.display()));
            } else if !["target", ".git", "node_modules"].contains(&name.to_str().unwrap()) {
                folders.push(path);
            }
        }
    }
    files
}

#[test]
fn every_file_that_a_document_names_exists() {
    const KINDS: [&str; 6] = [".rs", ".lua", ".sql", ".yaml", ".yml", ".proto"];
    let files = files();
    for document in all() {
        let text = read(document);
        for name in code(&text) {
            let is_path = name
                .chars()
                .all(|it| it.is_alphanumeric() || "/._-".contains(it));
            if is_path && KINDS.iter().any(|kind| name.ends_with(kind)) {
                let end = format!("/{name}");
                let exists = files.iter().any(|file| file.ends_with(&end));
                assert!(exists, "{document} names {name}, which is nowhere");
            }
        }
    }
}
