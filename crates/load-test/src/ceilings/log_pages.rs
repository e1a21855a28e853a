//! The log, read from its start to its end by the function that the projector tails it with.

use std::error::Error;
use std::io;
use std::time::Instant;

use event_store::{Config, EventStore};

use super::Meter;

/// Events in one page.
pub(super) const PAGE: u32 = 5_000;

/// Reads all pages, one after the other, and does nothing with them.
pub(super) async fn read(
    url: &str,
    events: u64,
    meter: &mut Meter<'_>,
) -> Result<(), Box<dyn Error>> {
    let store = EventStore::connect(&Config::new(url)).await?;
    let mut read = 0;
    // The place before the first event.
    let mut last = Default::default();
    loop {
        let started = Instant::now();
        let page = store.read_from(last, PAGE).await?;
        let Some(entry) = page.last() else {
            break;
        };
        last = entry.sequence.next();
        read += page.len() as u64;
        meter.add(started);
    }
    store.close().await;
    if read == events {
        return Ok(());
    }
    let error = format!("the log has {read} events instead of {events}");
    Err(io::Error::other(error).into())
}
