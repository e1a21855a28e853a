//! Whether a circle with a long history is slower to change than one with a short.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use circles_proto::circles::v1::UpdateCircleRequest;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::circles::new_circle;
use crate::client::Failure;
use crate::grpc::{Rpc, frame};
use crate::recorder::{Record, Recorder};
use crate::workload::{Slot, Targets};

/// What came out: updates made one at a time, in turn, on one long and on many short circles.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LongCircle {
    /// How many events the long one had.
    pub(crate) events: usize,
    pub(crate) long: Record,
    pub(crate) short: Record,
    /// Refusals by status while the long one was written with many calls at a time; each was tried again.
    pub(crate) refused: BTreeMap<String, u64>,
}

/// Events of a short circle.
const SHORT: usize = 5;
/// Calls at a time while the long circle is written.
const WRITERS: usize = 256;

/// Writes a circle with so many events, then changes it and others `updates` times each.
pub(crate) async fn measure(
    targets: &Targets,
    events: usize,
    updates: usize,
) -> Result<LongCircle, Failure> {
    let mut slot = Slot::new(targets, 0);
    let long = create(&mut slot).await?;
    let refused = lengthen(targets, &long, events.saturating_sub(1)).await?;
    let mut short = Vec::with_capacity(updates);
    for _ in 0..updates {
        let circle = create(&mut slot).await?;
        for n in 0..SHORT - 1 {
            update(&mut slot, &circle, n).await?;
        }
        short.push(circle);
    }

    let recorders = [Recorder::new(), Recorder::new()];
    recorders.iter().for_each(Recorder::open);
    for (n, short) in short.iter().enumerate() {
        // Which one comes first changes, in case that it matters.
        let mut turn = [(&recorders[0], &long), (&recorders[1], short)];
        turn.rotate_left(n % 2);
        for (recorder, circle) in turn {
            let (rpc, frame) = (Rpc::UpdateCircle, frame(&request(circle, events + n)));
            let started = Instant::now();
            let result = slot.call(rpc, frame).await;
            recorder.add(started.elapsed(), &result);
        }
    }
    recorders.iter().for_each(Recorder::close);
    Ok(LongCircle {
        events,
        long: recorders[0].record(),
        short: recorders[1].record(),
        refused,
    })
}

/// Adds events to a circle, by many calls at a time. Returns how often which status was met.
async fn lengthen(
    targets: &Targets,
    circle: &str,
    events: usize,
) -> Result<BTreeMap<String, u64>, Failure> {
    let next = Rc::new(Cell::new(0));
    let mut writers = JoinSet::new();
    for n in 0..WRITERS {
        let (mut slot, circle) = (Slot::new(targets, n), circle.to_owned());
        let next = Rc::clone(&next);
        writers.spawn_local(async move {
            let mut refused = BTreeMap::<String, u64>::new();
            loop {
                let n = next.replace(next.get() + 1);
                if n >= events {
                    return Ok(refused);
                }
                while let Err(failure) = update(&mut slot, &circle, n).await {
                    if !matches!(
                        failure.name(),
                        "ABORTED" | "UNAVAILABLE" | "RESOURCE_EXHAUSTED"
                    ) {
                        return Err(failure);
                    }
                    *refused.entry(failure.name().to_owned()).or_default() += 1;
                    sleep(Duration::from_millis(20)).await;
                }
            }
        });
    }
    let mut all = BTreeMap::new();
    while let Some(writer) = writers.join_next().await {
        let refused = writer.unwrap_or(Err(Failure::Malformed("the generator failed")))?;
        for (name, n) in refused {
            *all.entry(name).or_default() += n;
        }
    }
    Ok(all)
}

async fn create(slot: &mut Slot) -> Result<String, Failure> {
    let written = slot.call(Rpc::CreateCircle, frame(&new_circle())).await?;
    Ok(written.map(|written| written.circle_id).unwrap_or_default())
}

async fn update(slot: &mut Slot, circle: &str, n: usize) -> Result<(), Failure> {
    slot.call(Rpc::UpdateCircle, frame(&request(circle, n)))
        .await?;
    Ok(())
}

/// Any two of them that follow each other differ.
fn request(circle: &str, n: usize) -> UpdateCircleRequest {
    let capacity = i32::try_from(n % 30_000).unwrap_or_default() + 1_000;
    UpdateCircleRequest {
        circle_id: circle.to_owned(),
        name: None,
        capacity: Some(capacity),
        version: None,
        request_id: None,
    }
}
