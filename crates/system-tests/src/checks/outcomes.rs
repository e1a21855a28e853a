//! What nobody was told of is in the log once as it was asked, or not at all; what was refused is
//! not there; and nothing is there that nobody asked for.

use std::collections::{HashMap, HashSet};

use super::is_as_asked;
use crate::history::{History, Request};
use crate::log::{Event, Log};

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let requests = history.requests.iter();
    let requests: HashMap<&str, &Request> = requests
        .map(|request| (request.id.as_str(), request))
        .collect();
    let mut seen = HashSet::new();
    let events = log.events.iter();
    events
        .filter_map(|event| {
            let twice = !seen.insert(event.id.as_str());
            wrong(event, requests.get(event.id.as_str()).copied(), twice)
        })
        .collect()
}

fn wrong(event: &Event, request: Option<&Request>, twice: bool) -> Option<String> {
    let Some(request) = request else {
        return Some(format!("nobody asked for {event:?}"));
    };
    let what = if twice {
        "it is there twice"
    } else if request.is_refused() {
        "it was refused"
    } else if request.answers().next().is_none() && !is_as_asked(event, &request.asked) {
        "something else was asked"
    } else {
        return None;
    };
    Some(format!("{what}: {event:?} of {request:?}"))
}
