//! Logical databases that tests do not share.

use test_support::redis::{Engine, RedisDatabase};

pub(crate) async fn a_test_may_have_a_spare_database(engine: Engine) {
    let (live, spare) = (RedisDatabase::fresh(engine), RedisDatabase::fresh(engine));
    assert_ne!(live.number(), spare.number());
    assert_eq!(live.server_url(), spare.server_url());
    assert_eq!(
        live.url(),
        format!("{}/{}", live.server_url(), live.number())
    );

    spare.command(&["SET", "key", "new"]);
    let (a, b) = (live.number().to_string(), spare.number().to_string());
    live.command(&["SWAPDB", &a, &b]);
    assert_eq!(live.command(&["GET", "key"]), ["new"]);
    assert!(spare.command(&["KEYS", "*"]).is_empty());
    // Both are still ours.
    let third = RedisDatabase::fresh(engine);
    assert!(![live.number(), spare.number()].contains(&third.number()));
}
