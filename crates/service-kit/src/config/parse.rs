//! Parsers for [`Reader`](super::Reader). Their errors are the rules that the value broke.

use std::{
    fmt::Display, net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr, time::Duration,
};

/// Any text.
///
/// # Errors
/// None: an empty variable counts as unset before it gets here.
pub fn text(value: &str) -> Result<String, String> {
    Ok(value.to_owned())
}

/// The path of a file, which need not be there.
///
/// # Errors
/// None, as for [`text`].
pub fn path(value: &str) -> Result<PathBuf, String> {
    text(value).map(PathBuf::from)
}

/// An IP address and a port to listen on. Names are not resolved.
///
/// # Errors
/// The rule, when the value is anything else.
pub fn address(value: &str) -> Result<SocketAddr, String> {
    value.parse().map_err(|_| {
        "must be an IP address and a port such as 127.0.0.1:50051 or [::]:50051".to_owned()
    })
}

/// A whole number with its unit: `250ms`, `5s`, `2m`, `1h`.
///
/// # Errors
/// The rule, when the value is anything else.
pub fn duration(value: &str) -> Result<Duration, String> {
    let rule = || "must be a duration such as 250ms, 5s, 2m or 1h".to_owned();
    let digits = value.find(|c: char| !c.is_ascii_digit()).ok_or_else(rule)?;
    let (number, unit) = value.split_at(digits);
    let number: u64 = number.parse().map_err(|_| rule())?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(3_600),
        _ => None,
    }
    .ok_or_else(rule)
}

/// A duration within bounds, written as in [`duration`].
pub fn duration_within(
    range: RangeInclusive<Duration>,
) -> impl Fn(&str) -> Result<Duration, String> {
    move |value| {
        let parsed = duration(value)?;
        if range.contains(&parsed) {
            Ok(parsed)
        } else {
            Err(format!(
                "must be a duration from {} to {}",
                written(*range.start()),
                written(*range.end())
            ))
        }
    }
}

/// The inverse of [`duration`], for bounds.
fn written(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

/// A whole number within bounds, without a sign and without separators.
pub fn integer<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    move |value| {
        value
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| value.parse().ok())
            .flatten()
            .filter(|parsed| range.contains(parsed))
            .ok_or_else(|| {
                format!(
                    "must be a whole number from {} to {}",
                    range.start(),
                    range.end()
                )
            })
    }
}

/// `true` or `false`.
///
/// # Errors
/// The rule, when the value is anything else.
pub fn boolean(value: &str) -> Result<bool, String> {
    value
        .parse()
        .map_err(|_| "must be true or false".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("5s", 5_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "+5s",
            "5 s",
            "1.5s",
            "5S",
            "5us",
            "18446744073709551616s",
            "18446744073709551615h",
            "５s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        let bounded = duration_within(Duration::from_millis(1)..=Duration::from_secs(1));
        assert_eq!(bounded("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(
            bounded("2s"),
            Err("must be a duration from 1ms to 1s".to_owned())
        );
    }

    #[test]
    fn integers() {
        assert_eq!(integer(1..=10usize)("10"), Ok(10));
        assert_eq!(integer(0..=u64::MAX)("18446744073709551615"), Ok(u64::MAX));
        for text in [
            "",
            "0",
            "11",
            "+5",
            "-5",
            "5.0",
            "1_0",
            " 5",
            "18446744073709551616",
        ] {
            assert_eq!(
                integer(1..=10u64)(text),
                Err("must be a whole number from 1 to 10".to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn addresses_and_booleans() {
        assert_eq!(address("[::]:0").map(|a| a.port()), Ok(0));
        for text in ["localhost:1", "127.0.0.1", ":80", "1.2.3.4:65536"] {
            assert!(address(text).is_err(), "{text}");
        }
        assert_eq!((boolean("true"), boolean("false")), (Ok(true), Ok(false)));
        assert!(boolean("1").is_err() && boolean("True").is_err());
    }
}
