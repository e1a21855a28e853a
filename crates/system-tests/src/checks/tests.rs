//! Each check finds each fault that is planted for it in a sound history, and no other one does.

mod edits;
mod parts;
mod story;

use self::parts::circle;
use self::story::{Story, sound};
use super::complaints;
use crate::history::{Asked, Kind, Outcome, Refusal, Shown, Told};
use crate::log::Log;

/// Asserts that exactly one check complains of a story.
#[track_caller]
fn only(name: &str, story: &Story) {
    let log = Log::of(story.rows.clone()).unwrap();
    let complaints = complaints(&story.history, &log);
    let mut names: Vec<&str> = complaints.iter().map(|(name, _)| *name).collect();
    names.dedup();
    assert_eq!(names, [name], "{complaints:#?}");
}

/// Changes what no check may mind.
#[track_caller]
fn passes(change: impl FnOnce(&mut Story)) {
    let mut story = sound();
    change(&mut story);
    let log = Log::of(story.rows).unwrap();
    assert_eq!(complaints(&story.history, &log), []);
}

/// Plants a fault, for one check to find.
#[track_caller]
fn finds(name: &str, plant: impl FnOnce(&mut Story)) {
    let mut story = sound();
    plant(&mut story);
    only(name, &story);
}

#[test]
fn a_sound_history_passes() {
    passes(|_| {});
}

#[test]
fn what_cannot_be_read_is_told() {
    let mut story = sound();
    "CircleMoved".clone_into(&mut story.rows[2].event_type);
    assert_eq!(Log::of(story.rows).unwrap_err(), "event 3: CircleMoved");
}

#[test]
fn acknowledged_commands() {
    const CHECK: &str = "acknowledged commands are in the log";
    // The last one is gone.
    finds(CHECK, |story| drop(story.rows.pop()));
    finds(CHECK, |story| story.answer(17).version = 2);
    finds(CHECK, |story| story.answer(17).sequence = 8);
    finds(CHECK, |story| {
        "b".clone_into(&mut story.answer(17).circle_id)
    });
    finds(CHECK, |story| {
        story.payload(10, r#"{"name":"hiking","capacity":9}"#)
    });
    finds(CHECK, |story| {
        story.payload(10, r#"{"name":"hike","capacity":8}"#)
    });
    finds(CHECK, |story| *story.update(2).1 = Some(31));
    finds(CHECK, |story| {
        *story.update(2).0 = Some("tea time".to_owned())
    });
    finds(CHECK, |story| {
        let Asked::Delete { reason, .. } = &mut story.request(7).asked else {
            panic!("that is no deletion");
        };
        *reason = None;
    });
    // A repeat is answered otherwise.
    finds(CHECK, |story| {
        let mut again = story.request(17).attempts[0].clone();
        (again.invoked, again.returned) = (190, 191);
        story.request(17).attempts.push(again);
        story.answer(17).version = 2;
    });
    // An update that changes something, and has no event of its own.
    finds(CHECK, |story| *story.update(9).1 = Some(11));
    // The answer is about a circle that is equal, but another one.
    finds(CHECK, |story| {
        let Asked::Update { circle_id, .. } = &mut story.request(9).asked else {
            panic!("that is no update");
        };
        "a".clone_into(circle_id);
    });
}

#[test]
fn unknown_outcomes() {
    const CHECK: &str = "unknown outcomes are all or nothing";
    finds(CHECK, |story| story.payload(9, r#"{"capacity":78}"#));
    finds(CHECK, |story| {
        story.payload(9, r#"{"capacity":77,"name":"x"}"#)
    });
    finds(CHECK, |story| {
        story.happens(
            "r12",
            "d",
            1,
            "CircleCreated",
            r#"{"name":"d","capacity":5}"#,
        )
    });
    finds(CHECK, |story| {
        story.happens("x", "x", 1, "CircleCreated", r#"{"name":"x","capacity":5}"#)
    });
    // Once more what was done before.
    finds(CHECK, |story| {
        story.happens("r16", "b", 4, "CircleUpdated", r#"{"capacity":77}"#)
    });
    finds(CHECK, |story| {
        story.happens(
            "r17",
            "h2",
            1,
            "CircleCreated",
            r#"{"name":"hike","capacity":9}"#,
        )
    });
}

#[test]
fn holes() {
    const CHECK: &str = "no holes";
    // Nobody was told of the last one.
    let last = |story: &mut Story, sequence, version| {
        story.rows.truncate(9);
        story.history.requests.truncate(16);
        story.rows[8].sequence = sequence;
        story.rows[8].version = version;
    };
    finds(CHECK, |story| last(story, 10, 3));
    finds(CHECK, |story| last(story, 9, 4));
    finds(CHECK, |story| last(story, 9, 2));
}

#[test]
fn concurrency() {
    const CHECK: &str = "optimistic concurrency in real time";
    // In the log the other way round than they happened.
    finds(CHECK, |story| {
        story.rows.swap(7, 9);
        (story.rows[7].sequence, story.rows[9].sequence) = (8, 10);
        story.answer(15).sequence = 10;
        story.answer(17).sequence = 8;
    });
    // It was done on another version than it was meant for.
    finds(CHECK, |story| *story.update(2).2 = Some(2));
    // Others came before it, but were not yet asked for.
    finds(CHECK, |story| {
        let attempt = &mut story.request(16).attempts[0];
        (attempt.invoked, attempt.returned) = (190, 191);
    });
    // What changed nothing tells how it was long ago, or what it was not asked about.
    finds(CHECK, |story| {
        let attempt = &mut story.request(9).attempts[0];
        (attempt.invoked, attempt.returned) = (185, 186);
    });
    finds(CHECK, |story| *story.update(9).2 = Some(1));
}

#[test]
fn refusals() {
    const CHECK: &str = "refusals were true";
    let refused = |n: usize, refusal: Refusal| {
        move |story: &mut Story| {
            story.request(n).attempts[0].outcome = Outcome::Refused(refusal);
        }
    };
    // A version that it had before, will have later, or that was asked for.
    finds(CHECK, |story| {
        *story.update(4).2 = Some(3);
        refused(4, Refusal::Version { present: 1 })(story);
    });
    finds(CHECK, refused(4, Refusal::Version { present: 3 }));
    finds(CHECK, |story| *story.update(4).2 = Some(2));
    finds(CHECK, refused(4, Refusal::NoCircle));
    finds(CHECK, refused(4, Refusal::Deleted));
    finds(CHECK, refused(10, Refusal::Deleted));
    finds(CHECK, refused(10, Refusal::IdUsed));
    finds(CHECK, refused(8, Refusal::Version { present: 2 }));
    // It was done, and so must be answered.
    finds(CHECK, |story| {
        let mut again = story.request(7).attempts[0].clone();
        (again.invoked, again.returned) = (76, 77);
        again.outcome = Outcome::Refused(Refusal::Deleted);
        story.request(7).attempts.push(again);
    });
}

#[test]
fn reads() {
    const CHECK: &str = "reads show the log";
    // Before its min_sequence, and before what others had seen.
    finds(CHECK, |story| {
        story.shows(0, 1, vec![circle("a", "tea", 20, 1)])
    });
    finds(CHECK, |story| {
        story.shows(1, 1, vec![circle("a", "tea", 20, 1)]);
        story.lacks(1, "b");
    });
    finds(CHECK, |story| story.history.reads[0].sequence = Some(3));
    finds(CHECK, |story| {
        story.shows(0, 2, vec![circle("a", "tea", 31, 2)])
    });
    finds(CHECK, |story| {
        story.shows(0, 2, vec![circle("a", "tea", 30, 1)])
    });
    finds(CHECK, |story| story.lacks(1, "a"));
    // Not found while it was there.
    finds(CHECK, |story| {
        let read = &mut story.history.reads[3];
        (read.invoked, read.returned, read.min_sequence) = (26, 27, None);
    });
    let past = |plant: fn(&mut Vec<crate::history::Entry>, &mut bool)| {
        move |story: &mut Story| {
            let Shown::Past { entries, more, .. } = &mut story.history.reads[2].shown else {
                panic!("that is no past");
            };
            plant(entries, more);
        }
    };
    // Fewer than were asked for, and more.
    finds(CHECK, past(|entries, _| drop(entries.pop())));
    finds(CHECK, past(|entries, _| entries.clear()));
    finds(CHECK, |story| {
        let Shown::Past { size, .. } = &mut story.history.reads[2].shown else {
            panic!("that is no past");
        };
        *size = 1;
    });
    finds(CHECK, past(|entries, _| drop(entries.remove(0))));
    finds(CHECK, past(|_, more| *more = false));
    finds(CHECK, past(|entries, _| entries.reverse()));
    finds(CHECK, past(|entries, _| entries[0].reason.clear()));
    finds(CHECK, past(|entries, _| entries[1].capacity.0 = Some(21)));
}

#[test]
fn lists() {
    const CHECK: &str = "lists show the log";
    for n in 0..4 {
        finds(CHECK, |story| drop(story.page(n).circles.remove(0)));
        finds(CHECK, |story| story.page(n).circles[0].version += 1);
        finds(CHECK, |story| {
            let twice = story.page(n).circles[0].clone();
            story.page(n).circles.push(twice);
        });
    }
    for n in [0, 2, 3] {
        finds(CHECK, |story| story.page(n).circles.reverse());
    }
    // There is more, and there is nothing.
    finds(CHECK, |story| story.page(0).more = false);
    finds(CHECK, |story| story.page(1).more = true);
    // More than were asked for, with a filter and without.
    finds(CHECK, |story| story.page(2).size = 2);
    finds(CHECK, |story| story.page(3).size = 1);
    // With a filter the next page may turn out to be empty.
    passes(|story| story.page(3).more = true);
    // It goes on from elsewhere.
    finds(CHECK, |story| story.page(1).after = None);
}

#[test]
fn watches() {
    const CHECK: &str = "watches have no gap";
    finds(CHECK, |story| drop(story.told(0, 0).remove(2)));
    finds(CHECK, |story| story.told(0, 0).swap(1, 2));
    finds(CHECK, |story| {
        let twice = story.told(0, 0)[1].clone();
        story.told(0, 0).insert(2, twice);
    });
    // Between two calls.
    finds(CHECK, |story| drop(story.told(0, 0).pop()));
    finds(CHECK, |story| {
        story.history.watches[0].sessions[1].from = Some(4)
    });
    finds(CHECK, |story| drop(story.told(0, 1).remove(1)));
    // What was said to be the present was not all told.
    finds(CHECK, |story| drop(story.told(1, 0).remove(2)));
    finds(CHECK, |story| drop(story.told(1, 0).remove(0)));
    finds(CHECK, |story| {
        story.told(1, 0).push((160, Told::Progress(6)))
    });
    finds(CHECK, |story| story.told(0, 0)[1].0 = 9);
    // Something else than happened.
    let change = |plant: fn(&mut Told)| move |story: &mut Story| plant(&mut story.told(0, 0)[2].1);
    finds(CHECK, change(|told| told.kind_mut(Kind::Corrected)));
    finds(CHECK, change(|told| told.kind_mut(Kind::Created)));
    finds(CHECK, change(|told| told.circle_mut(None)));
    finds(
        CHECK,
        change(|told| told.circle_mut(Some(circle("a", "tea", 20, 1)))),
    );
}

#[test]
fn failures_without_excuse() {
    finds("no failure without excuse", |story| {
        story.history.unexcused.push("INTERNAL".to_owned());
    });
}
