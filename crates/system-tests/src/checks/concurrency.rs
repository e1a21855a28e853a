//! Commands take effect between their invocation and their answer, and what has a version takes
//! effect on that version alone.

use crate::evidence::{Possible, Proof};
use crate::history::{Answer, Attempt, History, Request};
use crate::log::Log;

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let proof = Proof::of_commands(history, log);
    let possible = Possible::of(history, log);
    let mut wrong = Vec::new();
    for request in &history.requests {
        if let Some(event) = log.of_request(&request.id) {
            let before = proof.before(request.begun());
            if event.sequence <= before {
                wrong.push(format!(
                    "event {} comes before {before}, which was answered before it was asked for: \
                     {request:?}",
                    event.sequence
                ));
            }
            let expected = request.asked.version();
            if expected.is_some_and(|version| event.version != version + 1) {
                wrong.push(format!(
                    "event {event:?} is on another version: {request:?}"
                ));
            }
        }
        for (attempt, answer) in request.answers() {
            if let Some(what) = wrong_answer(request, attempt, answer, log, &proof, &possible) {
                wrong.push(format!("{what}: {answer:?} to {request:?}"));
            }
        }
    }
    wrong
}

/// An answer speaks of what was asked for before it came; one that tells of no event of its own
/// tells the present.
fn wrong_answer(
    request: &Request,
    attempt: &Attempt,
    answer: &Answer,
    log: &Log,
    proof: &Proof,
    possible: &Possible,
) -> Option<&'static str> {
    // Whether there is one is not for here to say.
    let event = log.at(answer.sequence)?;
    if answer.sequence > possible.before(attempt.returned) {
        return Some("the answer is ahead of its time");
    }
    if event.id == request.id {
        return None;
    }
    let next = log.successor(event);
    if next.is_some_and(|next| next <= proof.before(attempt.invoked)) {
        return Some("the answer tells the past");
    }
    let expected = request.asked.version();
    if expected.is_some_and(|version| version != answer.version) {
        return Some("the answer is about another version");
    }
    None
}
