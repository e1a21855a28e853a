//! Small documents in Redis, written and read.

use std::io;

use uuid::Uuid;

use crate::redis_pipe::Pipe;

/// Commands on their way at a time, on one connection.
pub(super) const DEPTH: usize = 64;

/// Documents, far more than a processor's cache holds.
const DOCUMENTS: usize = 100_000;

#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    Set,
    Get,
}

impl Command {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Set => "redis set",
            Self::Get => "redis get",
        }
    }
}

/// A connection, and documents like those of the read model.
pub(super) struct Documents {
    pipe: Pipe,
    ids: Vec<Uuid>,
}

impl Documents {
    /// Writes all documents.
    pub(super) fn connect(url: &str) -> io::Result<Self> {
        let mut documents = Self {
            pipe: Pipe::connect(url)?,
            ids: (0..DOCUMENTS).map(|_| Uuid::now_v7()).collect(),
        };
        for first in 0..DOCUMENTS / DEPTH {
            for n in 0..DEPTH {
                let id = documents.ids[first * DEPTH + n];
                documents.set(id);
            }
            documents.pipe.exchange()?;
        }
        Ok(documents)
    }

    /// Sends [`DEPTH`] commands and reads the answers.
    pub(super) fn run(&mut self, command: Command) -> io::Result<()> {
        for _ in 0..DEPTH {
            let id = self.ids[fastrand::usize(..DOCUMENTS / DEPTH * DEPTH)];
            match command {
                Command::Set => self.set(id),
                Command::Get => {
                    let document = document(id);
                    let answer = format!("${}\r\n{document}\r\n", document.len());
                    self.pipe.add(&["GET", &key(id)], &answer);
                }
            }
        }
        self.pipe.exchange()
    }

    /// Removes the documents.
    pub(super) fn clean(mut self) -> io::Result<()> {
        for ids in std::mem::take(&mut self.ids)[..DOCUMENTS / DEPTH * DEPTH].chunks(DEPTH) {
            for id in ids {
                self.pipe.add(&["DEL", &key(*id)], ":1\r\n");
            }
            self.pipe.exchange()?;
        }
        Ok(())
    }

    fn set(&mut self, id: Uuid) {
        self.pipe.add(&["SET", &key(id), &document(id)], "+OK\r\n");
    }
}

fn key(id: Uuid) -> String {
    format!("load-test:{id}")
}

fn document(id: Uuid) -> String {
    format!(r#"{{"id":"{id}","name":"Astronomy 1234567","capacity":100,"version":1}}"#)
}
