//! The read models of a log, written by plain commands: nothing is read, checked or compared.
//!
//! The commands are of the kinds and the sizes that `crates/read-model` describes: a list of what happened to
//! each circle, the last changes, and, once per circle, its document and its places in three orders.

use std::io;

use crate::made_up_log::{Circle, Event, MadeUpLog};
use crate::redis_pipe::Pipe;

/// Commands in one piece. Two pieces are on their way at a time, so that Redis never waits for us.
pub(super) const DEPTH: usize = 1_000;
const PIECES: usize = 2;

/// Changes that are kept.
const CHANGES: u64 = 100_000;

/// Writes to an empty logical database, and empties it again with [`Writer::clean`].
pub(super) struct Writer {
    pipe: Pipe,
    added: usize,
}

impl Writer {
    /// Refuses a database that holds anything, since it will be emptied.
    pub(super) fn connect(url: &str) -> io::Result<Self> {
        let mut pipe = Pipe::connect(url)?;
        pipe.add(&["DBSIZE"], ":0\r\n");
        pipe.exchange().map_err(|error| {
            io::Error::other(format!("{url} must be an empty logical database: {error}"))
        })?;
        Ok(Self { pipe, added: 0 })
    }

    /// Writes everything, and returns when it is answered.
    pub(super) fn write(&mut self, events: u64, circles: u64) -> io::Result<()> {
        let mut log = MadeUpLog::new(events, circles);
        for event in log.by_ref() {
            self.history(&event)?;
            if event.sequence + CHANGES > events {
                self.change(&event)?;
            }
        }
        for circle in log.circles() {
            self.circle(circle)?;
        }
        self.pipe.exchange()
    }

    pub(super) fn clean(mut self) -> io::Result<()> {
        self.pipe.add(&["FLUSHDB"], "+OK\r\n");
        self.pipe.exchange()
    }

    fn history(&mut self, event: &Event) -> io::Result<()> {
        let key = format!("circle:{}:history", event.circle.id);
        let length = format!(":{}\r\n", event.circle.version);
        self.add(&["RPUSH", &key, &event.history_entry()], &length)
    }

    fn change(&mut self, event: &Event) -> io::Result<()> {
        let Circle { id, version, .. } = &event.circle;
        let entry = format!("{}-0", event.sequence);
        let command = [
            "XADD",
            "circles:changes",
            &entry,
            "type",
            event.kind(),
            "circle_id",
            &id.to_string(),
            "version",
            &version.to_string(),
            "event_id",
            &event.id().to_string(),
            "document",
            &document(&event.circle),
        ];
        self.add(&command, &format!("${}\r\n{entry}\r\n", entry.len()))
    }

    fn circle(&mut self, circle: &Circle) -> io::Result<()> {
        let Circle {
            id,
            name,
            capacity,
            version,
            created,
        } = circle;
        let key = format!("circle:{id}");
        self.add(&["SET", &key, &document(circle)], "+OK\r\n")?;
        let by_name = format!("{name}\0{id}{capacity:05}{version:010}");
        let by_capacity = format!("{capacity:05}{name}\0{id}{version:010}");
        let created = created.to_string();
        for (order, score, member) in [
            ("circles:by_name", "0", &by_name),
            ("circles:by_capacity", "0", &by_capacity),
            ("circles:by_create_time", created.as_str(), &by_capacity),
        ] {
            self.add(&["ZADD", order, score, member], ":1\r\n")?;
        }
        Ok(())
    }

    fn add(&mut self, command: &[&str], answer: &str) -> io::Result<()> {
        self.pipe.add(command, answer);
        self.added += 1;
        if self.added.is_multiple_of(DEPTH) {
            self.pipe.send()?;
            if self.pipe.outstanding() >= PIECES {
                self.pipe.receive()?;
            }
        }
        Ok(())
    }
}

fn document(circle: &Circle) -> String {
    let Circle {
        id,
        name,
        capacity,
        version,
        ..
    } = circle;
    format!(r#"{{"id":"{id}","name":"{name}","capacity":{capacity},"version":{version}}}"#)
}
