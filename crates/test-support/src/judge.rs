//! Holds the read models against the log, by the simplest way there is.
//!
//! It shares no code with the services: it reads the log with SQL, folds JSON by hand, and
//! compares every key in Redis, byte for byte, with what should be there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::mysql::Database;
use crate::redis::RedisDatabase;

/// Everything that the read models consist of, by key; an index as its members with scores.
pub type World = BTreeMap<String, Vec<String>>;

/// What the log comes to.
///
/// # Panics
///
/// Where the log can't be read, or has a hole.
pub async fn expected(log: &Database) -> World {
    let rows: Vec<(u64, String, String, i32, String, String)> = sqlx::query_as(
        "SELECT sequence, id, circle_id, version, event_type, CAST(payload AS CHAR) \
         FROM circle_events ORDER BY sequence",
    )
    .fetch_all(&mut log.connection().await)
    .await
    .expect("the log can be read");

    let mut circles: BTreeMap<String, Circle> = BTreeMap::new();
    let mut checkpoint = String::from(r#"{"sequence":0,"event_id":null}"#);
    let mut versions: BTreeMap<String, i32> = BTreeMap::new();
    for (n, (sequence, id, circle, version, event_type, payload)) in (1..).zip(rows) {
        assert_eq!(sequence, n, "a hole in the sequences");
        let previous = versions.insert(circle.clone(), version).unwrap_or(0);
        assert_eq!(version, previous + 1, "a hole in the versions of {circle}");
        let payload: Value = serde_json::from_str(&payload).expect("a payload is JSON");
        match event_type.as_str() {
            "CircleDeleted" => drop(circles.remove(&circle)),
            "CircleCreated" | "CircleUpdated" => {
                let known = circles
                    .entry(circle)
                    .or_insert_with(|| Circle::created(sequence));
                if let Some(name) = payload["name"].as_str() {
                    known.name = name.to_owned();
                }
                if let Some(capacity) = payload["capacity"].as_i64() {
                    known.capacity = capacity;
                }
                known.version = version;
            }
            other => panic!("an event of type {other}"),
        }
        checkpoint = format!(r#"{{"sequence":{sequence},"event_id":"{id}"}}"#);
    }

    let mut world = World::from([("circles:checkpoint".to_owned(), vec![checkpoint])]);
    let mut by_name = Vec::new();
    let mut by_capacity = Vec::new();
    let mut by_create_time = Vec::new();
    for (
        id,
        Circle {
            name,
            capacity,
            version,
            created,
        },
    ) in &circles
    {
        let json = serde_json::to_string(name).expect("a text has a JSON form");
        let document =
            format!(r#"{{"id":"{id}","name":{json},"capacity":{capacity},"version":{version}}}"#);
        world.insert(format!("circle:{id}"), vec![document]);
        by_name.push((0, format!("{name}\0{id}\0{capacity}")));
        by_capacity.push((0, format!("{capacity:05}\0{name}\0{id}")));
        by_create_time.push((*created, format!("{name}\0{capacity}\0{id}")));
    }
    for (key, mut members) in [
        ("circles:by_name", by_name),
        ("circles:by_capacity", by_capacity),
        ("circles:by_create_time", by_create_time),
    ] {
        members.sort();
        let members = members
            .into_iter()
            .flat_map(|(score, member)| [member, score.to_string()]);
        // Redis has no empty sorted set.
        if !circles.is_empty() {
            world.insert(key.to_owned(), members.collect());
        }
    }
    world
}

#[derive(Debug)]
struct Circle {
    name: String,
    capacity: i64,
    version: i32,
    created: u64,
}

impl Circle {
    fn created(created: u64) -> Self {
        Self {
            name: String::new(),
            capacity: 0,
            version: 0,
            created,
        }
    }
}

/// What is in Redis: every key of the logical database.
#[must_use]
pub fn found(redis: &RedisDatabase) -> World {
    let mut world = World::new();
    for key in redis.command(&["KEYS", "*"]) {
        let value = if key.starts_with("circles:by_") {
            redis.command(&["ZRANGE", &key, "0", "-1", "WITHSCORES"])
        } else {
            redis.command(&["GET", &key])
        };
        world.insert(key, value);
    }
    world
}

/// Asserts that the read models are what the log comes to, to its end.
///
/// # Panics
///
/// With the first key that is not.
pub async fn assert_consistent(log: &Database, redis: &RedisDatabase) {
    let (expected, found) = (expected(log).await, found(redis));
    for key in expected.keys().chain(found.keys()) {
        assert_eq!(found.get(key), expected.get(key), "the key {key}");
    }
}

/// How many events the log has.
///
/// # Panics
///
/// Where the log can't be read.
pub async fn count_events(log: &Database) -> u64 {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM circle_events")
        .fetch_one(&mut log.connection().await)
        .await
        .expect("the log can be read");
    count.unsigned_abs()
}
