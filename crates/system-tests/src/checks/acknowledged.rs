//! Every acknowledged command is in the log, once, where the answer says.

use super::{has_become, is_as_asked};
use crate::history::{Answer, History, Request};
use crate::log::{Event, Log};

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let requests = history.requests.iter();
    requests
        .flat_map(|request| {
            let answers = request.answers();
            answers.filter_map(|(_, answer)| wrong(request, answer, log))
        })
        .collect()
}

fn wrong(request: &Request, answer: &Answer, log: &Log) -> Option<String> {
    let says = |what: &str| Some(format!("{what}: {answer:?} to {request:?}"));
    let Some(found) = log
        .at(answer.sequence)
        .filter(|event| is_answered(event, answer))
    else {
        return says("no such event");
    };
    match log.of_request(&request.id) {
        Some(event) if event.sequence == found.sequence => {
            if is_as_asked(event, &request.asked) {
                None
            } else {
                says("the event does something else")
            }
        }
        // The update changed nothing when it was answered; the event is that of another one. An
        // earlier attempt may have come later and changed something then.
        _ if has_become(found, &request.asked) => None,
        Some(_) => says("its event is elsewhere"),
        None => says("its event is missing"),
    }
}

fn is_answered(event: &Event, answer: &Answer) -> bool {
    event.circle_id == answer.circle_id && event.version == answer.version
}
