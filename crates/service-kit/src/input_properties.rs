//! Settings and headers are read or refused, whatever they are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use fuzz_support::{bytes, texts};
use proptest::prelude::*;
use tonic::codegen::http::{HeaderMap, HeaderValue};

use crate::config::{self, Reader, Secret, parse};
use crate::{deadline, health, metrics, server, telemetry, trace};

fn durations() -> impl Strategy<Value = String> {
    texts([
        "0s",
        "250ms",
        "5s",
        "2m",
        "1h",
        "18446744073709551615ms",
        "5124095576030431h",
    ])
}

/// What is set for every variable, each with what it may look like.
fn settings() -> impl Strategy<Value = BTreeMap<&'static str, String>> {
    let numbers = || texts(["1", "100000", "10000001", "-1", "1_0", "+5"]);
    let addresses = || texts(["127.0.0.1:9090", "[::]:0", "localhost:1"]);
    (
        [
            durations().boxed(),
            durations().boxed(),
            durations().boxed(),
        ],
        [
            numbers().boxed(),
            numbers().boxed(),
            numbers().boxed(),
            numbers().boxed(),
        ],
        [addresses().boxed(), addresses().boxed()],
        texts(["true", "false", "1"]),
        texts([
            "info",
            "warn,h2=debug",
            "circles[{id=1}]=trace,off",
            "a::b=error",
        ]),
        texts(["text", "json"]),
        texts([
            "http://collector:4317",
            "http://[::1]:1/a?b#c",
            "https://a:1",
            "http://a",
        ]),
        texts(["0", "1", "0.25", "1e-3", "NaN", "inf"]),
    )
        .prop_map(
            |(times, numbers, addresses, reflection, log, format, endpoint, ratio)| {
                let [drain, handshake, age] = times;
                let [calls, streams, rate, connections] = numbers;
                let [health, metrics] = addresses;
                BTreeMap::from([
                    (server::DRAIN_TIMEOUT, drain),
                    (server::HANDSHAKE_TIMEOUT, handshake),
                    (server::MAX_CONNECTION_AGE, age),
                    (server::MAX_CALLS, calls),
                    (server::MAX_STREAMS, streams),
                    (server::RATE_PER_CLIENT, rate),
                    (server::MAX_CONNECTIONS, connections),
                    (server::REFLECTION, reflection),
                    (health::LISTEN, health),
                    (metrics::LISTEN, metrics),
                    (telemetry::LOG, log),
                    (telemetry::LOG_FORMAT, format),
                    (trace::ENDPOINT, endpoint),
                    (trace::RATIO, ratio),
                ])
            },
        )
}

proptest! {
    #[test]
    fn settings_survive_any_bytes(variables in settings()) {
        let read = config::read(&variables, |reader: &mut Reader<'_>| {
            let server = server::Options::read(reader);
            let telemetry = telemetry::Options::read(reader);
            Ok((server?, telemetry?))
        });
        match read {
            Ok((_, telemetry)) => prop_assert!((0.0..=1.0).contains(&telemetry.traces.ratio)),
            Err(errors) => {
                // Each is told once, in a line of its own.
                prop_assert!(!errors.mistakes().is_empty());
                prop_assert_eq!(errors.to_string().lines().count(), errors.mistakes().len());
            }
        }
    }

    #[test]
    fn single_values_survive_any_bytes(text in prop_oneof![
        durations(),
        texts(["0", "1", "1000", "18446744073709551615", "127.0.0.1:50051", "[::]:0", "true"]),
    ]) {
        if let Ok(duration) = parse::duration(&text) {
            let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
            let number: u64 = text[..text.len() - unit.len()].parse().unwrap();
            let each = match unit {
                "ms" => Duration::from_millis(1).as_millis(),
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                other => return Err(TestCaseError::fail(format!("a unit {other}"))),
            };
            prop_assert_eq!(duration.as_millis(), u128::from(number) * each);
        }
        let bounds = Duration::from_secs(1)..=Duration::from_secs(60);
        let within = parse::duration_within(bounds.clone())(&text);
        prop_assert!(within.is_err() || bounds.contains(&within.unwrap()));
        if let Ok(number) = parse::integer(1..=1_000_u16)(&text) {
            prop_assert!((1..=1_000).contains(&number));
            prop_assert_eq!(text.trim_start_matches('0'), number.to_string());
        }
        if let Ok(address) = parse::address(&text) {
            prop_assert_eq!(address.to_string().parse::<SocketAddr>(), Ok(address));
        }
        if let Ok(truth) = parse::boolean(&text) {
            prop_assert_eq!(truth.to_string(), text);
        }
    }

    #[test]
    fn secrets_survive_any_bytes(
        url in prop_oneof![
            texts(["mysql://user:Tr0ub4dor@localhost/circles", "redis://:Tr0ub4dor@localhost"]),
            Just(String::new()),
        ],
        file in proptest::option::of(Just("/Tr0ub4dor\0")),
    ) {
        let mut variables = BTreeMap::from([("URL", url.as_str())]);
        variables.extend(file.map(|file| ("URL_FILE", file)));
        match config::read(&variables, |reader: &mut Reader<'_>| reader.secret("URL", Secret::parse)) {
            Ok(secret) => {
                let shown = format!("{secret} {secret:?}");
                prop_assert!(!shown.contains("Tr0ub4dor"));
                prop_assert_eq!(secret.expose(), url);
            }
            // Nor is the name of a file told, as the secret itself may stand there by mistake.
            Err(errors) => prop_assert!(!errors.to_string().contains("Tr0ub4dor")),
        }
    }

    #[test]
    fn timeouts_survive_any_bytes(value in bytes(["2H", "3M", "4S", "5m", "6u", "7n", "99999999H"])) {
        if let Ok(header) = HeaderValue::from_bytes(&value) {
            let headers = HeaderMap::from_iter([("grpc-timeout".parse().unwrap(), header)]);
            let Some(timeout) = deadline::timeout(&headers) else {
                return Ok(());
            };
            let text = String::from_utf8(value).unwrap();
            let (number, unit) = text.split_at(text.len() - 1);
            prop_assert!(number.len() <= 8);
            let each: u128 = match unit {
                "H" => 3_600_000_000_000,
                "M" => 60_000_000_000,
                "S" => 1_000_000_000,
                "m" => 1_000_000,
                "u" => 1_000,
                "n" => 1,
                other => return Err(TestCaseError::fail(format!("a unit {other}"))),
            };
            prop_assert_eq!(timeout.as_nanos(), number.parse::<u128>().unwrap() * each);
        }
    }
}
