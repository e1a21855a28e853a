//! A small history in which nothing is wrong.

use std::collections::BTreeSet;

use test_support::judge;

use super::parts::{change, circle, create, delete, deletion, done, read, request, update};
use crate::history::{
    Attempt, Circle, Entry, History, Kind, Moment, Order, Outcome, Page, Read, Refusal, Request,
    Session, Shown, Told, Watch,
};

/// What clients saw, and the log.
pub(super) struct Story {
    pub(super) history: History,
    pub(super) rows: Vec<judge::Event>,
}

/// The n-th request (from 1) is made at n times ten; queries come between.
pub(super) fn sound() -> Story {
    let mut story = Story {
        history: History::default(),
        rows: Vec::new(),
    };
    story.happens(
        "r1",
        "a",
        1,
        "CircleCreated",
        r#"{"name":"tea","capacity":20}"#,
    );
    story.happens("r2", "a", 2, "CircleUpdated", r#"{"capacity":30}"#);
    story.happens(
        "r3",
        "b",
        1,
        "CircleCreated",
        r#"{"name":"go","capacity":10}"#,
    );
    story.happens("r5", "b", 2, "CircleUpdated", r#"{"name":"chess"}"#);
    story.happens("r7", "a", 3, "CircleDeleted", r#"{"reason":"over"}"#);
    story.happens(
        "r13",
        "e",
        1,
        "CircleCreated",
        r#"{"name":"art","capacity":15}"#,
    );
    story.happens(
        "r14",
        "f",
        1,
        "CircleCreated",
        r#"{"name":"bee","capacity":12}"#,
    );
    story.happens(
        "r15",
        "g",
        1,
        "CircleCreated",
        r#"{"name":"gym","capacity":40}"#,
    );
    story.happens("r16", "b", 3, "CircleUpdated", r#"{"capacity":77}"#);
    story.happens(
        "r17",
        "h",
        1,
        "CircleCreated",
        r#"{"name":"hike","capacity":9}"#,
    );
    story.history.requests = requests();
    story.history.reads = reads();
    story.history.watches = watches();
    story
}

fn requests() -> Vec<Request> {
    use Outcome::{Refused, Unknown};
    let version = |present| Refused(Refusal::Version { present });
    let mut requests = vec![
        request(1, create("a", "tea", 20), done("a", 1, 1)),
        request(2, update("a", None, Some(30), Some(1)), Unknown),
        request(3, create("b", "go", 10), done("b", 1, 3)),
        request(4, update("a", None, Some(40), Some(1)), version(2)),
        request(5, update("b", Some("chess"), None, None), Unknown),
        request(6, update("b", None, Some(99), None), Unknown),
        request(7, delete("a", "over"), done("a", 3, 5)),
        request(
            8,
            update("a", None, Some(50), None),
            Refused(Refusal::Deleted),
        ),
        // It changes nothing.
        request(9, update("b", Some("chess"), None, None), done("b", 2, 4)),
        request(10, delete("c", "?"), Refused(Refusal::NoCircle)),
        request(11, create("b", "go", 10), Refused(Refusal::IdUsed)),
        request(12, create("d", "d", 5), Refused(Refusal::NotNow)),
        request(13, create("e", "art", 15), done("e", 1, 6)),
        request(14, create("f", "bee", 12), done("f", 1, 7)),
        request(15, create("g", "gym", 40), done("g", 1, 8)),
        request(16, update("b", None, Some(77), None), Unknown),
        request(17, create("h", "hike", 9), done("h", 1, 10)),
    ];
    // Sent again, and answered then.
    requests[1].attempts.push(Attempt {
        invoked: 22,
        returned: 23,
        outcome: done("a", 2, 2),
    });
    requests
}

fn reads() -> Vec<Read> {
    let (art, bee) = (circle("e", "art", 15, 1), circle("f", "bee", 12, 1));
    let chess = circle("b", "chess", 10, 2);
    let page = |order, descending, size, circles: &[&Circle]| Page {
        order,
        descending,
        min_capacity: None,
        after: None,
        size,
        circles: circles.iter().map(|circle| (*circle).clone()).collect(),
        more: false,
    };
    let mut first = page(Order::Name, false, 2, &[&art, &bee]);
    first.more = true;
    let mut second = page(Order::Name, false, 2, &[&chess]);
    second.after = Some(bee.clone());
    let third = page(Order::Creation, true, 9, &[&bee, &art, &chess]);
    let mut fourth = page(Order::Capacity, false, 9, &[&bee, &art]);
    fourth.min_capacity = Some(11);

    let (tea, go) = (circle("a", "tea", 30, 2), circle("b", "go", 10, 1));
    let one = |circle: Circle| (circle.id.clone(), Some(circle));
    vec![
        read(24, Some(2), Some(2), Shown::Circles(vec![one(tea.clone())])),
        read(32, None, Some(3), Shown::Circles(vec![one(tea), one(go)])),
        read(72, Some(5), Some(5), past()),
        read(
            74,
            Some(5),
            None,
            Shown::Circles(vec![("a".to_owned(), None)]),
        ),
        read(145, None, Some(7), Shown::Page(first)),
        read(147, None, Some(7), Shown::Page(second)),
        read(147, None, Some(7), Shown::Page(third)),
        read(147, None, Some(7), Shown::Page(fourth)),
    ]
}

fn past() -> Shown {
    let deleted = Entry {
        version: 3,
        kind: Kind::Deleted,
        name: (Some("tea".to_owned()), None),
        capacity: (Some(30), None),
        sequence: 5,
        reason: "over".to_owned(),
    };
    let updated = Entry {
        version: 2,
        kind: Kind::Updated,
        name: (None, None),
        capacity: (Some(20), Some(30)),
        sequence: 2,
        reason: String::new(),
    };
    Shown::Past {
        circle_id: "a".to_owned(),
        descending: true,
        size: 2,
        entries: vec![deleted, updated],
        more: true,
    }
}

fn watches() -> Vec<Watch> {
    let session = |from, invoked, told: &[(Moment, Told)]| Session {
        from,
        invoked,
        told: told.to_vec(),
    };
    let (go, chess) = (circle("b", "go", 10, 1), circle("b", "chess", 10, 2));
    let all = [
        session(
            Some(0),
            12,
            &[
                (13, Told::Progress(0)),
                (14, change(1, Kind::Created, circle("a", "tea", 20, 1))),
                (25, change(2, Kind::Updated, circle("a", "tea", 30, 2))),
                (34, change(3, Kind::Created, go.clone())),
            ],
        ),
        session(
            Some(3),
            35,
            &[
                (36, Told::Progress(3)),
                (53, change(4, Kind::Updated, chess.clone())),
                (76, deletion(5, "a")),
                (135, change(6, Kind::Created, circle("e", "art", 15, 1))),
                (149, change(7, Kind::Created, circle("f", "bee", 12, 1))),
                (150, Told::Progress(7)),
            ],
        ),
    ];
    let some = [session(
        None,
        26,
        &[
            (27, Told::Progress(2)),
            (35, change(3, Kind::Created, go)),
            (53, change(4, Kind::Updated, chess)),
            (151, Told::Progress(7)),
        ],
    )];
    vec![
        Watch {
            circle_ids: BTreeSet::new(),
            sessions: all.to_vec(),
        },
        Watch {
            circle_ids: BTreeSet::from(["b".to_owned()]),
            sessions: some.to_vec(),
        },
    ]
}
