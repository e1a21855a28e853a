//! What is in Redis: every key, of whatever type.

use std::collections::{BTreeMap, BTreeSet};

use crate::redis::wire::{Reply, Wire};
use crate::redis::{RedisCluster, RedisDatabase};

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A list's elements.
    List(Vec<String>),
    /// A sorted set's members, each with its score, in their order.
    Members(Vec<(String, String)>),
    /// A hash's fields.
    Fields(BTreeMap<String, String>),
    /// A stream's entries, each with its id; of its fields names and values in turn.
    Entries(Vec<(String, Vec<String>)>),
    /// Something of a type that the read models don't use.
    Other(String),
}

/// All keys with their values.
#[derive(Clone, Debug, Default)]
pub struct World {
    values: BTreeMap<String, Value>,
    expiring: BTreeSet<String>,
}

impl World {
    pub(super) fn insert(&mut self, key: String, value: Value) {
        self.values.insert(key, value);
    }

    /// What a key holds.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// The keys with a time to live.
    pub(super) fn expiring(&self) -> impl Iterator<Item = &str> {
        self.expiring.iter().map(String::as_str)
    }

    fn read(&mut self, wire: &mut Wire) {
        for key in wire.command(&["KEYS", "*"]) {
            let kind = wire.command(&["TYPE", &key]).concat();
            let value = match kind.as_str() {
                // It is gone by now.
                "none" => continue,
                "string" => Value::Text(wire.command(&["GET", &key]).concat()),
                "list" => Value::List(wire.command(&["LRANGE", &key, "0", "-1"])),
                "zset" => Value::Members(
                    pairs(wire.command(&["ZRANGE", &key, "0", "-1", "WITHSCORES"])).collect(),
                ),
                "hash" => Value::Fields(pairs(wire.command(&["HGETALL", &key])).collect()),
                "stream" => Value::Entries(entries(wire, &key)),
                _ => Value::Other(kind),
            };
            let left = wire.command(&["PTTL", &key]).concat();
            if !left.starts_with('-') {
                self.expiring.insert(key.clone());
            }
            self.values.insert(key, value);
        }
    }
}

fn entries(wire: &mut Wire, key: &str) -> Vec<(String, Vec<String>)> {
    let entries = wire
        .exchange(&["XRANGE", key, "-", "+"])
        .expect("a stream can be read");
    let entry = |entry: Reply| {
        let mut texts = entry.texts().into_iter();
        (texts.next().unwrap_or_default(), texts.collect())
    };
    entries.elements().into_iter().map(entry).collect()
}

fn pairs(texts: Vec<String>) -> impl Iterator<Item = (String, String)> {
    let mut texts = texts.into_iter();
    std::iter::from_fn(move || Some((texts.next()?, texts.next()?)))
}

/// Where read models are.
pub trait Holder {
    /// Reads all there is, key by key: nobody should be writing.
    ///
    /// # Panics
    ///
    /// Where a server does not answer.
    fn world(&self) -> World;
}

impl Holder for RedisDatabase {
    fn world(&self) -> World {
        let mut world = World::default();
        world.read(&mut self.connect());
        world
    }
}

impl Holder for RedisCluster {
    fn world(&self) -> World {
        let mut world = World::default();
        for mut wire in self.connect_all() {
            world.read(&mut wire);
        }
        world
    }
}
