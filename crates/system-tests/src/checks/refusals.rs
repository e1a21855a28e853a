//! What a refusal says of a circle was so at some moment between the invocation and the answer.

use std::ops::RangeInclusive;

use crate::evidence::{Possible, Proof};
use crate::history::{History, Outcome, Refusal, Request};
use crate::log::Log;

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let proof = Proof::of_commands(history, log);
    let possible = Possible::of(history, log);
    let mut wrong = Vec::new();
    for request in &history.requests {
        // Once its event is there, a request is answered as before and never refused.
        let own = log.of_request(&request.id).map(|event| event.sequence);
        let unborn = own.map_or(u64::MAX, |own| own.saturating_sub(1));
        for attempt in &request.attempts {
            let Outcome::Refused(refusal) = attempt.outcome else {
                continue;
            };
            let from = proof.before(attempt.invoked);
            let to = possible.before(attempt.returned).min(unborn);
            if !is_true(refusal, request, log, from..=to) {
                wrong.push(format!(
                    "{refusal:?} was not so while the log ended at {from} to {to}: {request:?}"
                ));
            }
        }
    }
    wrong
}

/// Whether it was so at some end that the log may have had.
fn is_true(refusal: Refusal, request: &Request, log: &Log, ends: RangeInclusive<u64>) -> bool {
    // Nothing is said of the circle.
    if refusal == Refusal::NotNow {
        return true;
    }
    let Some(circle_id) = request.asked.circle_id() else {
        return false;
    };
    let (from, to) = ends.into_inner();
    let creation = log.creation(circle_id);
    let mut events = log.of_circle(circle_id);
    match refusal {
        Refusal::NotNow => true,
        Refusal::NoCircle => from < creation && from <= to,
        Refusal::IdUsed => creation <= to,
        Refusal::Deleted => events.any(|event| event.after.is_none() && event.sequence <= to),
        Refusal::Version { present } => {
            request.asked.version() != Some(present)
                && events.any(|event| {
                    let superseded = log.successor(event);
                    event.version == present
                        && event.after.is_some()
                        && event.sequence <= to
                        && superseded.is_none_or(|next| from < next)
                })
        }
    }
}
