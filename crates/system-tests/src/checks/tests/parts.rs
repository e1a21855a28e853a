//! What a history is made of, in few words.

use crate::history::{
    Answer, Asked, Attempt, Circle, Kind, Moment, Outcome, Read, Request, Shown, Told,
};

pub(super) fn circle(id: &str, name: &str, capacity: i32, version: i32) -> Circle {
    Circle {
        id: id.to_owned(),
        name: name.to_owned(),
        capacity,
        version,
    }
}

pub(super) fn request(n: u64, asked: Asked, outcome: Outcome) -> Request {
    Request {
        id: format!("r{n}"),
        asked,
        attempts: vec![Attempt {
            invoked: n * 10,
            returned: n * 10 + 1,
            outcome,
        }],
    }
}

pub(super) fn create(id: &str, name: &str, capacity: i32) -> Asked {
    Asked::Create {
        circle_id: Some(id.to_owned()),
        name: name.to_owned(),
        capacity,
    }
}

pub(super) fn update(
    id: &str,
    name: Option<&str>,
    capacity: Option<i32>,
    version: Option<i32>,
) -> Asked {
    Asked::Update {
        circle_id: id.to_owned(),
        name: name.map(str::to_owned),
        capacity,
        version,
    }
}

pub(super) fn delete(id: &str, reason: &str) -> Asked {
    Asked::Delete {
        circle_id: id.to_owned(),
        version: None,
        reason: Some(reason.to_owned()),
    }
}

pub(super) fn done(circle_id: &str, version: i32, sequence: u64) -> Outcome {
    Outcome::Acknowledged(Answer {
        circle_id: circle_id.to_owned(),
        version,
        sequence,
    })
}

pub(super) fn read(
    invoked: Moment,
    min_sequence: Option<u64>,
    sequence: Option<u64>,
    shown: Shown,
) -> Read {
    Read {
        invoked,
        returned: invoked + 1,
        min_sequence,
        sequence,
        shown,
    }
}

pub(super) fn change(sequence: u64, kind: Kind, circle: Circle) -> Told {
    Told::Change {
        sequence,
        kind,
        circle_id: circle.id.clone(),
        circle: Some(circle),
    }
}

pub(super) fn deletion(sequence: u64, circle_id: &str) -> Told {
    Told::Change {
        sequence,
        kind: Kind::Deleted,
        circle_id: circle_id.to_owned(),
        circle: None,
    }
}
