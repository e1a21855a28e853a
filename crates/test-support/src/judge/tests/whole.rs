//! With the plain keys.

use super::by_hand::{
    A, A_BY_CAPACITY, A_BY_NAME, A_DOCUMENT, A_FIRST_DOCUMENT, A_HISTORY, A_KEY, B, Bench, C,
    CHANGES, add,
};
use crate::judge::Options;

const B_HISTORY: &str = "circle:01890000-0000-7000-8000-00000000000b:history";
const FLOOR: &str = "circles:changes:floor";

#[test]
fn what_is_right_passes() {
    let bench = Bench::new();
    let options = Options::default();
    bench.write_plain();
    bench.assert_right(&options, "nothing else");

    bench.run(&["SET", "circles:revision", "3"]);
    bench.run(&["SET", "circles:rewound", r#"{"common":5,"until":9}"#]);
    bench.run(&["HSET", "circles:holes", "7", "9"]);
    bench.run(&["SET", "circles:lease", "me", "PX", "60000"]);
    bench.assert_right(&options, "with what is not compared");

    bench.run(&["XTRIM", CHANGES, "MAXLEN", "3"]);
    bench.run(&["SET", FLOOR, "3"]);
    bench.assert_right(&options, "with the first changes trimmed");
    bench.run(&["SET", FLOOR, "4"]);
    bench.assert_right(&options, "with more changes than promised");

    bench.run(&add("6-1", ["corrected", A, "2", "", A_DOCUMENT]));
    bench.run(&add("6-2", ["corrected", B, "2", "", ""]));
    let unknown = "01890000-0000-7000-8000-000000000000";
    bench.run(&add("6-3", ["corrected", unknown, "", "", ""]));
    bench.assert_right(&options, "with corrections");
}

#[test]
fn a_changed_key_is_found() {
    let bench = Bench::new();
    let older = A_DOCUMENT.replace(r#""version":2"#, r#""version":1"#);
    let spaced = A_DOCUMENT.replace(',', ", ");
    let faults: &[(&[&str], &str)] = &[
        (&["DEL", A_KEY], "a document is missing"),
        (&["SET", A_KEY, &older], "a document is older"),
        (&["SET", A_KEY, &spaced], "a document is spelled otherwise"),
        (&["PEXPIRE", A_KEY, "60000"], "a document will expire"),
        (&["DEL", A_HISTORY], "a history is missing"),
        (&["RPOP", B_HISTORY], "a history is too short"),
        (&["RPUSH", A_HISTORY, "{}"], "a history is too long"),
        (&["LSET", A_HISTORY, "0", "{}"], "a history differs"),
        (&["DEL", "circles:by_name"], "an index is missing"),
        (
            &["ZREM", "circles:by_name", A_BY_NAME],
            "a member is missing",
        ),
        (
            &["ZREM", "circles:by_capacity", A_BY_CAPACITY],
            "a member is missing",
        ),
        (
            &["ZREM", "circles:by_create_time", A_BY_CAPACITY],
            "a member is missing",
        ),
        (&["ZADD", "circles:by_name", "0", "x"], "a member too much"),
        (
            &["ZADD", "circles:by_capacity", "0", "x"],
            "a member too much",
        ),
        (
            &["ZADD", "circles:by_create_time", "9", "x"],
            "a member too much",
        ),
        (
            &["ZADD", "circles:by_create_time", "2", A_BY_CAPACITY],
            "another score",
        ),
        (&["DEL", "circles:checkpoint"], "the checkpoint is missing"),
        (
            &[
                "SET",
                "circles:checkpoint",
                r#"{"sequence":5,"event_id":"01890000-0000-7000-9000-000000000005"}"#,
            ],
            "the checkpoint is behind",
        ),
        (
            &[
                "SET",
                "circles:checkpoint",
                r#"{"sequence":6,"event_id":"01890000-0000-7000-9000-000000000005"}"#,
            ],
            "the checkpoint is another event",
        ),
        (&["DEL", "circles:layout"], "the layout is missing"),
        (&["SET", "circles:layout", "1"], "another layout"),
        (&["SET", "circles:building", "{}"], "it is being built"),
        (
            &[
                "HSET",
                "circles:parked",
                A,
                r#"{"sequence":3,"version":2,"reason":""}"#,
            ],
            "a circle is parked",
        ),
        (&["SET", "circles:parked:count", "0"], "a count of nothing"),
        (
            &["SET", "circle:01890000-0000-7000-8000-00000000000b", "{}"],
            "a deleted circle is there",
        ),
        (
            &[
                "RPUSH",
                "circle:01890000-0000-7000-8000-00000000000d:history",
                "{}",
            ],
            "a history of nobody",
        ),
        (
            &["SET", "{0}:circles:checkpoint", "{}"],
            "a partition that there is not",
        ),
        (&["SET", "anything", "else"], "a foreign key"),
    ];
    for (fault, why) in faults {
        bench.write_plain();
        bench.run(fault);
        bench.assert_wrong(&Options::default(), fault[1], why);
    }
    for (key, why) in [
        (A_KEY, "a document"),
        (A_HISTORY, "a history"),
        ("circles:by_name", "an index"),
    ] {
        bench.write_plain();
        bench.run(&["DEL", key]);
        bench.run(&["SADD", key, "x"]);
        bench.assert_wrong(&Options::default(), key, &format!("{why} of another type"));
    }
}

#[test]
fn a_changed_stream_is_found() {
    let bench = Bench::new();
    let first = [
        "circle_created",
        A,
        "1",
        "01890000-0000-7000-9000-000000000001",
        A_FIRST_DOCUMENT,
    ];
    // The stream is written anew where its first entry differs.
    let with = |n: usize, value: &'static str| {
        let mut values = first;
        values[n] = value;
        values
    };
    for (n, value) in [
        (0, "circle_updated"),
        (1, C),
        (2, "2"),
        (3, "01890000-0000-7000-9000-000000000009"),
        (4, A_DOCUMENT),
    ] {
        bench.write_plain();
        bench.replace_first_change(&add("1-0", with(n, value)));
        bench.assert_wrong(&Options::default(), CHANGES, value);
    }
    bench.write_plain();
    bench.replace_first_change(&add("1-0", first));
    bench.assert_right(&Options::default(), "the same again");
    let mut fields = add("1-0", first);
    fields.extend(["more", "1"]);
    bench.replace_first_change(&fields);
    bench.assert_wrong(&Options::default(), CHANGES, "one field more");
    fields.truncate(11);
    bench.replace_first_change(&fields);
    bench.assert_wrong(&Options::default(), CHANGES, "one field less");

    let event = "01890000-0000-7000-9000-000000000007";
    let faults: &[(&[&str], &str)] = &[
        (&["DEL", CHANGES], "no stream"),
        (&["XDEL", CHANGES, "1-0"], "the first change is missing"),
        (&["XDEL", CHANGES, "4-0"], "a change is missing"),
        (&["XDEL", CHANGES, "6-0"], "the last change is missing"),
        (&["SET", FLOOR, "7"], "a floor above the log"),
        (&["SET", FLOOR, "x"], "a floor that is no number"),
        (
            &add("7-0", ["circle_updated", A, "3", event, A_DOCUMENT]),
            "an event that was not",
        ),
        (
            &add("7-1", ["corrected", A, "2", "", A_DOCUMENT]),
            "a correction ahead of the log",
        ),
        (
            &add("6-1", ["circle_updated", A, "2", "", A_DOCUMENT]),
            "a correction of another type",
        ),
        (
            &add("6-1", ["corrected", C, "2", "", A_DOCUMENT]),
            "a correction of another circle",
        ),
        (
            &add("6-1", ["corrected", A, "3", "", A_DOCUMENT]),
            "a correction of another version",
        ),
        (
            &add("6-1", ["corrected", A, "2", event, A_DOCUMENT]),
            "a correction with an event",
        ),
        (
            &add("6-1", ["corrected", A, "1", "", A_FIRST_DOCUMENT]),
            "a correction to what is not",
        ),
        (
            &add("6-1", ["corrected", A, "2", "", ""]),
            "a correction that removes what is there",
        ),
        (
            &add("6-1", ["corrected", B, "1", "", A_DOCUMENT]),
            "a correction that revives",
        ),
    ];
    for (fault, why) in faults {
        bench.write_plain();
        bench.run(fault);
        bench.assert_wrong(&Options::default(), CHANGES, why);
    }

    bench.write_plain();
    bench.run(&["SET", FLOOR, "3"]);
    bench.run(&["XDEL", CHANGES, "3-0"]);
    bench.assert_right(&Options::default(), "the last one that may be missing");
    bench.run(&["XDEL", CHANGES, "4-0"]);
    bench.assert_wrong(&Options::default(), CHANGES, "one above the floor");
}
