//! The call that rebuilds, and what it tells of its progress.

use std::error::Error;
use std::time::Instant;

use circles_proto::circles::admin::v1::projector_admin_service_client::ProjectorAdminServiceClient;
use circles_proto::circles::admin::v1::{RebuildPhase, RebuildRequest, RebuildResponse};
use serde::{Deserialize, Serialize};
use tonic::Status;

/// How a rebuild went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Course {
    /// Seconds until the log was applied, as the first message told that says so.
    pub(crate) building: f64,
    /// Seconds from the call to its end.
    pub(crate) seconds: f64,
    /// Every message.
    pub(crate) progress: Vec<Progress>,
    /// Circles that were shown wrongly, and entries of none: the log was at rest, so there should not be any.
    pub(crate) divergent: i64,
    pub(crate) stray: i64,
}

/// A message, and when it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) at: f64,
    pub(crate) phase: String,
    pub(crate) events: i64,
    pub(crate) events_total: i64,
    pub(crate) events_per_second: f64,
    pub(crate) seconds_left: f64,
}

/// Rebuilds, and waits for the end.
pub(super) async fn rebuild(address: &str) -> Result<Course, Box<dyn Error>> {
    let mut client = ProjectorAdminServiceClient::connect(format!("http://{address}")).await?;
    let started = Instant::now();
    let answer = client.rebuild(RebuildRequest { dry_run: false }).await;
    let mut messages = answer.map_err(refused)?.into_inner();
    let (mut building, mut progress, mut last) = (None, Vec::new(), None);
    while let Some(message) = messages.message().await.map_err(refused)? {
        let at = started.elapsed().as_secs_f64();
        let phase = phase(&message);
        if phase > RebuildPhase::Building {
            building.get_or_insert(at);
        }
        progress.extend(told(at, phase, &message));
        last = Some((phase, message));
    }
    let seconds = started.elapsed().as_secs_f64();
    let Some((RebuildPhase::Switched, last)) = last else {
        return Err("the rebuild has ended without putting the new read models to use".into());
    };
    let difference = last.difference.unwrap_or_default();
    Ok(Course {
        building: building.unwrap_or(seconds),
        seconds,
        progress,
        divergent: difference.divergent_circles,
        stray: difference.stray_entries,
    })
}

fn refused(status: Status) -> String {
    let (code, message) = (status.code(), status.message());
    format!("the projector answers Rebuild with {code:?}: {message}")
}

fn phase(message: &RebuildResponse) -> RebuildPhase {
    let progress = message.progress.as_ref();
    progress.map_or(RebuildPhase::Unspecified, |progress| progress.phase())
}

fn told(at: f64, phase: RebuildPhase, message: &RebuildResponse) -> Option<Progress> {
    let progress = message.progress.as_ref()?;
    Some(Progress {
        at,
        phase: phase.as_str_name().to_owned(),
        events: progress.events,
        events_total: progress.events_total,
        events_per_second: progress.events_per_second,
        seconds_left: progress.seconds_left,
    })
}

impl Course {
    /// Of the messages that came while the log was applied, how many tell how fast that goes and how long it
    /// will take; and how many there were.
    pub(crate) fn messages_with_rate(&self) -> (usize, usize) {
        let building = RebuildPhase::Building.as_str_name();
        let building = self.progress.iter().filter(|one| one.phase == building);
        // At its very beginning nobody knows.
        let building = building.filter(|one| one.events > 0);
        let good = building
            .clone()
            .filter(|one| one.events_per_second > 0.0 && one.seconds_left.is_finite())
            .filter(|one| one.seconds_left > 0.0 || one.events >= one.events_total);
        (good.count(), building.count())
    }
}

#[cfg(test)]
mod tests;
