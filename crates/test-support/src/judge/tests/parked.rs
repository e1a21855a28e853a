//! With circles that are parked, or were.

use super::by_hand::{
    A, A_BY_CAPACITY, A_BY_NAME, A_DOCUMENT, A_FIRST_DOCUMENT, A_HISTORY, A_KEY, B, Bench, CHANGES,
    add,
};
use crate::judge::Options;

#[test]
fn parked_circles_stay_as_they_were() {
    let bench = Bench::new();
    let options = Options::default().parked(3);
    let right = r#"{"sequence":3,"version":2,"reason":"it is \"odd\""}"#;
    let park = || {
        bench.write_plain();
        bench.run(&["SET", A_KEY, A_FIRST_DOCUMENT]);
        bench.run(&["RPOP", A_HISTORY]);
        let member = "00020chess\x0001890000-0000-7000-8000-00000000000a0000000001";
        let by_name = "chess\x0001890000-0000-7000-8000-00000000000a000200000000001";
        bench.run(&["ZREM", "circles:by_name", A_BY_NAME]);
        bench.run(&["ZADD", "circles:by_name", "0", by_name]);
        bench.run(&["ZREM", "circles:by_capacity", A_BY_CAPACITY]);
        bench.run(&["ZADD", "circles:by_capacity", "0", member]);
        bench.run(&["ZREM", "circles:by_create_time", A_BY_CAPACITY]);
        bench.run(&["ZADD", "circles:by_create_time", "1", member]);
        bench.run(&["XDEL", CHANGES, "3-0"]);
        bench.run(&["HSET", "circles:parked", A, right]);
        bench.run(&["SET", "circles:parked:count", "1"]);
    };
    park();
    bench.assert_right(&options, "parked");
    assert!(!bench.differences(&Options::default()).is_empty());

    let late = right.replace(":3,", ":4,");
    let other = right.replace(":2,", ":3,");
    let faults: &[(&[&str], &str)] = &[
        (&["DEL", "circles:parked"], "nothing is parked"),
        (&["HSET", "circles:parked", A, &late], "another sequence"),
        (&["HSET", "circles:parked", A, &other], "another version"),
        (
            &["HSET", "circles:parked", A, r#"{"sequence":3,"version":2}"#],
            "no reason",
        ),
        (&["HSET", "circles:parked", B, right], "another circle too"),
        (&["DEL", "circles:parked:count"], "no count"),
        (&["SET", "circles:parked:count", "2"], "another count"),
        (&["SET", A_KEY, A_DOCUMENT], "the document went on"),
        (&["RPUSH", A_HISTORY, "{}"], "the history went on"),
    ];
    for (fault, why) in faults {
        park();
        bench.run(fault);
        bench.assert_wrong(&options, fault[1], why);
    }
    park();
    bench.run(&add("6-1", ["corrected", A, "2", "", A_DOCUMENT]));
    bench.assert_wrong(&options, CHANGES, "a correction tells of what is parked");
}

#[test]
fn a_circle_that_was_parked_is_caught_up_by_a_correction() {
    let bench = Bench::new();
    let options = Options::default().caught_up(A);
    bench.write_plain();
    bench.assert_right(&options, "nothing is missing");
    bench.run(&["XDEL", CHANGES, "3-0"]);
    bench.assert_wrong(&options, CHANGES, "without a correction");
    bench.run(&["XDEL", CHANGES, "1-0"]);
    bench.assert_wrong(&options, CHANGES, "without any change");
    bench.run(&add("6-1", ["corrected", A, "2", "", A_DOCUMENT]));
    bench.assert_right(&options, "with a correction");
    bench.assert_wrong(&Options::default(), CHANGES, "a circle that was not parked");
    bench.run(&["XDEL", CHANGES, "5-0"]);
    bench.assert_wrong(&options, CHANGES, "another circle's change is missing");
}
