//! The README's table of configuration tells what the service reads.

use query_service::config::Config;
use service_kit::config::{self, Invalid, Reader};
use service_kit::listeners::Besides;
use service_kit::telemetry;
use test_support::readme::assert_documented;

const REQUIRED: &[(&str, &str)] = &[("CIRCLES_REDIS_URL", "redis://127.0.0.1")];

fn read(reader: &mut Reader<'_>) -> Result<String, Invalid> {
    let telemetry = telemetry::Options::read(reader);
    let besides = Besides::read(reader);
    let config = Config::read(reader);
    Ok(format!("{:?} {:?} {:?}", telemetry?, besides?, config?))
}

#[test]
fn every_variable_is_documented_with_its_default() {
    assert_documented("Q", REQUIRED, config::names(read), |variables| {
        config::read(variables, read).unwrap()
    });
}
