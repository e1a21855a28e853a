//! The README's table of configuration tells what the service reads.

use std::collections::{BTreeMap, BTreeSet};

use query_service::config::Config;
use service_kit::config::{self, Invalid, Reader};
use service_kit::listeners::Besides;
use service_kit::telemetry;
use test_support::readme::configuration;

const REQUIRED: &[(&str, &str)] = &[("CIRCLES_REDIS_URL", "redis://127.0.0.1")];

fn read(reader: &mut Reader<'_>) -> Result<String, Invalid> {
    let telemetry = telemetry::Options::read(reader);
    let besides = Besides::read(reader);
    let config = Config::read(reader);
    Ok(format!("{:?} {:?} {:?}", telemetry?, besides?, config?))
}

#[test]
fn every_variable_is_documented_with_its_default() {
    let documented = configuration("Q");
    let secrets: BTreeSet<String> = REQUIRED
        .iter()
        .map(|(name, _)| format!("{name}_FILE"))
        .collect();
    let names: BTreeSet<String> = config::names(read).difference(&secrets).cloned().collect();
    assert_eq!(names, documented.keys().cloned().collect());

    let required: BTreeMap<&str, &str> = REQUIRED.iter().copied().collect();
    let mut defaults = required.clone();
    for (name, default) in &documented {
        match default.as_str() {
            "" => {}
            "required" => assert!(required.contains_key(name.as_str()), "{name}"),
            default => drop(defaults.insert(name, default)),
        }
    }
    assert_eq!(
        config::read(&defaults, read).unwrap(),
        config::read(&required, read).unwrap()
    );
}
