//! What must be in no log, looked for in every line that any process of any test writes.

/// Part of every password and key that tests make up.
pub const MARK: &str = "tops3cret";

/// What gives a secret away: our own, the beginning of every JWT and of every key as PEM, and addresses that may
/// carry a password.
const TRACES: [&str; 6] = [
    MARK,
    "eyJ",
    "PRIVATE KEY",
    "mysql://",
    "redis://",
    "redis-cluster://",
];

/// The secret that a line tells, if any.
#[must_use]
pub fn told_by(line: &str) -> Option<&'static str> {
    TRACES.into_iter().find(|trace| line.contains(trace))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Issuer;

    #[test]
    fn secrets_are_noticed() {
        let token = Issuer::ed25519("1").bearer("anna", "circles.read");
        for line in [
            token.as_str(),
            "connecting to mysql://me:password@here",
            "password=tops3cret-1",
            "-----BEGIN PRIVATE KEY-----",
        ] {
            assert!(told_by(line).is_some(), "{line}");
        }
        assert_eq!(told_by("INFO draining limit_seconds=10.0"), None);
    }
}
