//! How old the read model is: a moment in milliseconds of Unix time.

use std::time::{Duration, SystemTime};

pub(crate) fn write(moment: SystemTime) -> String {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_millis().to_string()
}

pub(crate) fn read(text: &[u8]) -> Option<SystemTime> {
    let milliseconds = std::str::from_utf8(text).ok()?.parse().ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_was_written() {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(1_764_000_000_123);
        assert_eq!(write(moment), "1764000000123");
        assert_eq!(read(write(moment).as_bytes()), Some(moment));
        for text in ["", "-1", "1.5", "soon", "99999999999999999999"] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        // As far as the clock reaches, or nothing: no panic.
        let _ = read(u64::MAX.to_string().as_bytes());
    }
}
