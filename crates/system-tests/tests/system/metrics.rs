//! What dashboard and alerts in `deploy/observability` are about is what the services tell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use circles_proto::circles::v1::CreateCircleRequest;
use serde_json::Value;
use test_support::metrics::Scrape;
use test_support::mysql::Engine;

use crate::support::System;

/// What Prometheus itself tells of each target.
const PROMETHEUS: &str = "up";

/// Words of Prometheus's language that are neither metrics nor functions.
const WORDS: &[&str] = &[
    "and",
    "by",
    "ignoring",
    "offset",
    "on",
    "or",
    "unless",
    "without",
    "bool",
    "group_left",
    "group_right",
];

fn read(file: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/observability");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

/// The metrics that an expression is about.
fn metrics_in(expression: &str) -> BTreeSet<String> {
    let mut bare = String::new();
    let mut depth = 0;
    let mut quoted = false;
    for c in expression.chars() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ if depth == 0 => bare.push(c),
            _ => {}
        }
    }
    // Labels stand in brackets behind one of these.
    for word in ["by", "on", "without", "ignoring"] {
        while let Some(begin) = bare.find(&format!(" {word} (")) {
            let end = begin + bare[begin..].find(')').unwrap();
            bare.replace_range(begin..=end, " ");
        }
    }
    let mut metrics = BTreeSet::new();
    let mut rest = bare.as_str();
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    while let Some(begin) = rest.find(in_name) {
        let word = &rest[begin..];
        let end = word.find(|c| !in_name(c)).unwrap_or(word.len());
        let (word, behind) = word.split_at(end);
        rest = behind;
        let is_name = !word.starts_with(|c: char| c.is_ascii_digit());
        if is_name && !behind.trim_start().starts_with('(') && !WORDS.contains(&word) {
            metrics.insert(word.to_owned());
        }
    }
    metrics
}

/// The expressions of all panels.
fn dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    targets
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect()
}

/// An alert: what is said of it, by key. It is read as the file is written: a key in each line, and
/// a value that goes on in lines which stand further right.
type Alert = BTreeMap<String, String>;

fn alerts() -> Vec<Alert> {
    let text = read("rules.yml");
    let mut alerts: Vec<Alert> = Vec::new();
    let mut last = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.trim().strip_prefix("- alert: ") {
            alerts.push(Alert::from([("alert".to_owned(), name.to_owned())]));
            continue;
        }
        let Some(alert) = alerts.last_mut() else {
            continue;
        };
        let key = line.trim().split_once(':').filter(|(key, _)| {
            let known = ["expr", "for", "labels", "severity", "annotations"];
            known.contains(key) || ["summary", "description", "action"].contains(key)
        });
        match key {
            Some((key, value)) => {
                last = key.to_owned();
                alert.insert(last.clone(), value.trim().to_owned());
            }
            None => {
                let value = alert.get_mut(&last).unwrap();
                value.push(' ');
                value.push_str(line.trim());
            }
        }
    }
    alerts
}

#[test]
fn metrics_are_found_in_expressions() {
    let found = |expression| metrics_in(expression).into_iter().collect::<Vec<_>>();
    assert_eq!(
        found("sum by (job) (rate(a_total{b=\"c d\"}[5m])) / max(e) > 0.01"),
        ["a_total", "e"]
    );
    assert_eq!(
        found("a unless on (job, instance) b and deriv(max(c)[1m:])"),
        ["a", "b", "c"]
    );
}

#[test]
fn every_alert_says_what_to_do() {
    let alerts = alerts();
    assert!(alerts.len() >= 9, "{alerts:#?}");
    for alert in alerts {
        for key in ["expr", "severity", "summary", "description", "action"] {
            let said = alert.get(key).is_some_and(|value| !value.is_empty());
            assert!(said, "{}: no {key}", alert["alert"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dashboard_and_alerts_are_about_what_is_told() {
    let system = System::start(Engine::MariaDb).await;
    let request = CreateCircleRequest {
        name: "football".to_owned(),
        capacity: 20,
        ..CreateCircleRequest::default()
    };
    let services = &system.services;
    services.command.logs("health turned").await;
    let made = services.commands().create_circle(request).await.unwrap();
    assert_eq!(made.into_inner().sequence, 1);
    system.assert_consistent().await;

    let mut samples = BTreeSet::from([PROMETHEUS.to_owned()]);
    let mut helped = BTreeSet::new();
    let mut types = BTreeMap::new();
    for (service, last) in [
        (
            &services.command,
            "circles_command_commit_duration_seconds_count",
        ),
        (&services.projector, "circles_projector_lag_seconds"),
        (&services.query, "circles_query_age_seconds"),
    ] {
        let told = Scrape::until(service.metrics().await, last, |told| {
            told.get(last).is_some()
        });
        let told = told.await;
        samples.extend(told.samples.keys().map(|sample| {
            let name = sample.split('{').next().unwrap();
            name.to_owned()
        }));
        let told_of = |(name, text): (String, String)| (!text.trim().is_empty()).then_some(name);
        helped.extend(told.help.into_iter().filter_map(told_of));
        types.extend(told.types);
    }

    let expressions = dashboard()
        .into_iter()
        .chain(alerts().into_iter().map(|mut alert| {
            let expression = alert.remove("expr").unwrap();
            expression.trim_start_matches('|').to_owned()
        }));
    let mut used = BTreeSet::new();
    for expression in expressions {
        let metrics = metrics_in(&expression);
        assert!(!metrics.is_empty(), "{expression}");
        let unknown: Vec<_> = metrics.difference(&samples).collect();
        assert!(
            unknown.is_empty(),
            "nobody tells {unknown:?}, as in {expression}"
        );
        used.extend(metrics);
    }

    for (name, kind) in types {
        assert!(helped.contains(&name), "{name} is not explained");
        assert!(
            name.starts_with("circles_") || name.starts_with("rpc_server_"),
            "{name}"
        );
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        // Every one is worth a look, or it is not worth its cost.
        let shown = used.iter().any(|metric| {
            let of = metric.strip_prefix(&name);
            of.is_some_and(|rest| ["", "_bucket", "_count", "_sum"].contains(&rest))
        });
        assert!(shown, "{name} is in no panel and in no alert");
    }
}
