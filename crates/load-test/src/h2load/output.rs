//! What h2load prints at its end.

/// The figures in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Output {
    /// Calls that were answered.
    pub(super) calls: u64,
    /// Calls that were not, or with another HTTP status than 2xx.
    pub(super) failed: u64,
    /// Bytes of the bodies of all answers.
    pub(super) data: u64,
    pub(super) per_second: f64,
    /// Milliseconds.
    pub(super) mean: f64,
    /// Milliseconds.
    pub(super) max: f64,
}

impl Output {
    /// None where a figure is missing.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
        let requests = line("requests: ")?;
        let mut times = line("time for request:")?.split_whitespace();
        let (_min, max, mean) = (times.next()?, times.next()?, times.next()?);
        let rate = before(line("finished in ")?, " req/s")?;
        let data = before(line("traffic: ")?, " data")?;
        Some(Self {
            calls: before(requests, " succeeded")?.parse().ok()?,
            failed: ["failed", "errored", "timeout"]
                .iter()
                .map(|what| before(requests, &format!(" {what}"))?.parse::<u64>().ok())
                .sum::<Option<u64>>()?,
            data: data.strip_prefix('(')?.strip_suffix(')')?.parse().ok()?,
            per_second: rate.parse().ok()?,
            mean: milliseconds(mean)?,
            max: milliseconds(max)?,
        })
    }
}

/// The word that stands right before `what`.
fn before<'a>(text: &'a str, what: &str) -> Option<&'a str> {
    text[..text.find(what)?].split_whitespace().next_back()
}

/// A time such as `206us`, `11.75ms` or `1.02s`.
fn milliseconds(text: &str) -> Option<f64> {
    let unit = text.find(|character: char| character.is_ascii_alphabetic())?;
    let number: f64 = text[..unit].parse().ok()?;
    match &text[unit..] {
        "us" => Some(number / 1e3),
        "ms" => Some(number),
        "s" => Some(number * 1e3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
starting benchmark...
Application protocol: h2c

finished in 1.00s, 16111.00 req/s, 1.14MB/s
requests: 16111 total, 16175 started, 16111 done, 16110 succeeded, 1 failed, 2 errored, 3 timeout
status codes: 16110 2xx, 0 3xx, 0 4xx, 1 5xx
traffic: 1.14MB (1192710) total, 47.43KB (48565) headers (space savings 95.75%), 676.54KB (692773) data
                     min         max         mean         sd        +/- sd
time for request:      210us     12.82ms      3.93ms      1.68ms    67.65%
time for connect:        0us         0us         0us         0us     0.00%
req/s           :    4076.68     4310.61     4189.37       95.69    50.00%
";

    #[test]
    fn every_figure_is_found() {
        let output = Output::parse(TEXT).unwrap();
        let expected = Output {
            calls: 16_110,
            failed: 6,
            data: 692_773,
            per_second: 16_111.0,
            mean: 3.93,
            max: 12.82,
        };
        assert_eq!(output, expected);
    }

    #[test]
    fn anything_else_is_not_understood() {
        assert_eq!(Output::parse(""), None);
        assert_eq!(Output::parse(&TEXT.replace("12.82ms", "12.82")), None);
        assert_eq!(Output::parse(&TEXT.replace(" data\n", "\n")), None);
    }

    #[test]
    fn times_have_units() {
        assert_eq!(milliseconds("206us"), Some(0.206));
        assert_eq!(milliseconds("1.02s"), Some(1_020.0));
        assert_eq!(milliseconds("12"), None);
    }
}
