//! With two partitions: `b` belongs to the first one, the others to the second.

use super::by_hand::{A, B, Bench};
use crate::judge::Options;

#[test]
fn each_partition_has_its_own() {
    let bench = Bench::new();
    let options = Options::default().partitions(2);
    bench.write_two_partitions();
    bench.run(&["SET", "{1}:circles:revision", "3"]);
    bench.run(&["SET", "{0}:circles:lease", "me", "PX", "60000"]);
    bench.run(&["HSET", "{0}:circles:holes", "7", "9"]);
    bench.run(&["SET", "{1}:circles:changes:floor", "1"]);
    bench.assert_right(&options, "two partitions");
    assert!(!bench.differences(&Options::default()).is_empty());
    assert!(!bench.differences(&options.clone().partitions(3)).is_empty());

    let event = "01890000-0000-7000-9000-000000000004";
    let behind = r#"{"sequence":4,"event_id":"01890000-0000-7000-9000-000000000004"}"#;
    let add = |key, id, kind, circle| {
        let mut words = vec!["XADD", key, id, "type", kind, "circle_id", circle];
        words.extend(["version", "2", "event_id", event, "document", ""]);
        words
    };
    let faults: &[(&[&str], &str)] = &[
        (&["SET", "{0}:circles:checkpoint", behind], "one is behind"),
        (&["DEL", "{1}:circles:layout"], "one has no layout"),
        (&["SET", "circles:checkpoint", behind], "a plain key"),
        (&["SET", "{2}:circles:layout", "2"], "one more"),
        (
            &["SET", "{1}:circles:lease", "me"],
            "the lease is elsewhere",
        ),
        (
            &["HSET", "{1}:circles:holes", "7", "9"],
            "the holes are elsewhere",
        ),
        (
            &[
                "SET",
                "{0}:circle:01890000-0000-7000-8000-00000000000a",
                "{}",
            ],
            "a circle is elsewhere",
        ),
        (
            &[
                "RPOP",
                "{0}:circle:01890000-0000-7000-8000-00000000000b:history",
            ],
            "a history is short",
        ),
        (&["DEL", "{1}:circles:by_name"], "an index is missing"),
        (
            &["ZADD", "{0}:circles:by_name", "0", "x"],
            "an index has too much",
        ),
        (
            &["XDEL", "{1}:circles:changes", "3-0"],
            "a change is missing",
        ),
    ];
    for (fault, why) in faults {
        bench.write_two_partitions();
        bench.run(fault);
        bench.assert_wrong(&options, fault[1], why);
    }
    for (id, kind, circle) in [("5-0", "circle_deleted", B), ("5-1", "corrected", A)] {
        bench.write_two_partitions();
        bench.run(&add("{0}:circles:changes", id, kind, circle));
        bench.assert_wrong(
            &options,
            "{0}:circles:changes",
            "a change that does not belong here",
        );
    }
}

#[test]
fn one_tagged_partition_is_not_the_plain_keys() {
    let bench = Bench::new();
    let options = Options::default().partitions(1);
    bench.write_plain();
    assert!(!bench.differences(&options).is_empty());
    bench.run(&["FLUSHDB"]);
    bench.write("{0}:", &super::by_hand::ALL);
    bench.assert_right(&options, "one partition");
}

#[test]
fn parked_circles_are_told_where_they_belong() {
    let bench = Bench::new();
    let options = Options::default().partitions(2).parked(4);
    let key = "{0}:circles:parked";
    let parked = r#"{"sequence":4,"version":2,"reason":"odd"}"#;
    bench.write_two_partitions();
    bench.run(&["HSET", key, B, parked]);
    bench.assert_not_about(&options, key);
    bench.run(&["DEL", key]);
    bench.run(&["HSET", "{1}:circles:parked", B, parked]);
    let differences = bench.differences(&options);
    for key in [key, "{1}:circles:parked"] {
        assert!(differences.iter().any(|difference| difference.key == key));
    }
}
