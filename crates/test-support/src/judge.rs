//! Holds the read models against the log, by the simplest way there is.
//!
//! It shares no code with the services: it reads the log with SQL, folds JSON by hand, spells the
//! keys anew, and compares everything in Redis, byte for byte, with what should be there. Only
//! what the log can't tell is not compared: `circles:revision`, `circles:rewound`,
//! `circles:holes` and `circles:lease`, and the text of why a circle is parked.

mod changes;
mod compare;
mod expected;
mod fold;
mod found;
mod log;
mod options;
#[cfg(test)]
mod tests;
mod watch;

use std::time::{Duration, Instant};

pub use compare::Difference;
pub use found::{Holder, Value, World};
pub use log::{Event, read_log};
pub use options::Options;
pub use watch::{Documents, expected_documents};

use crate::mysql::Database;
use crate::redis::RedisDatabase;
use fold::Fold;

/// Asserts that the read models are what the log comes to, to its end, in one partition with the
/// plain keys and with no circle parked.
///
/// # Panics
///
/// With everything that differs.
pub async fn assert_consistent(log: &Database, redis: &RedisDatabase) {
    assert_consistent_with(log, redis, &Options::default()).await;
}

/// Asserts that the read models are what the log comes to under these circumstances.
///
/// # Panics
///
/// With everything that differs.
pub async fn assert_consistent_with(log: &Database, redis: &impl Holder, options: &Options) {
    let differences = differences(log, redis, options).await;
    assert!(differences.is_empty(), "{}", in_lines(&differences));
}

/// Waits until the read models are what the log comes to.
///
/// # Panics
///
/// With everything that still differs after `patience`.
pub async fn assert_becomes_consistent(
    log: &Database,
    redis: &impl Holder,
    options: &Options,
    patience: Duration,
) {
    let deadline = Instant::now() + patience;
    loop {
        let differences = differences(log, redis, options).await;
        if differences.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{}", in_lines(&differences));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What in Redis is not as the log says.
///
/// # Panics
///
/// Where the log can't be read, has holes that the options don't tell of, or holds what no
/// service writes; and where Redis can't be read.
pub async fn differences(
    log: &Database,
    redis: &impl Holder,
    options: &Options,
) -> Vec<Difference> {
    let fold = Fold::of(log::read_log(log).await, options);
    compare::compare(&fold, &redis.world(), options)
}

/// How many events the log has.
///
/// # Panics
///
/// Where the log can't be read.
pub async fn count_events(log: &Database) -> u64 {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM circle_events")
        .fetch_one(&mut log.connection().await)
        .await
        .expect("the log can be read");
    count.unsigned_abs()
}

/// The first ones, since one cause may have thousands.
fn in_lines(differences: &[Difference]) -> String {
    const SHOWN: usize = 20;
    let shown = differences.iter().take(SHOWN).map(ToString::to_string);
    let count = differences.len();
    let lines: Vec<String> = std::iter::once(format!("{count} differences from the log:"))
        .chain(shown)
        .collect();
    lines.join("\n")
}
