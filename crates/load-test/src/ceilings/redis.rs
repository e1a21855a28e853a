//! Redis by hand: commands written in one piece, answers compared with what must come.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use uuid::Uuid;

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
pub(super) struct Pipeline {
    stream: TcpStream,
    ids: Vec<Uuid>,
    written: Vec<u8>,
    expected: Vec<u8>,
    answer: Vec<u8>,
}

impl Pipeline {
    /// `url` is `redis://host:port`, with `/` and the number of a logical database where not the first is
    /// meant. Writes all documents.
    pub(super) fn connect(url: &str) -> io::Result<Self> {
        let address = url.strip_prefix("redis://").ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "must be redis://host:port")
        })?;
        let (address, database) = address.split_once('/').unwrap_or((address, ""));
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        // An answer that is shorter than expected would be waited for without end.
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut pipeline = Self {
            stream,
            ids: (0..DOCUMENTS).map(|_| Uuid::now_v7()).collect(),
            written: Vec::new(),
            expected: Vec::new(),
            answer: Vec::new(),
        };
        if !database.is_empty() {
            pipeline.add(&["SELECT", database], "+OK\r\n");
            pipeline.exchange()?;
        }
        for first in 0..DOCUMENTS / DEPTH {
            for n in 0..DEPTH {
                let id = pipeline.ids[first * DEPTH + n];
                pipeline.set(id);
            }
            pipeline.exchange()?;
        }
        Ok(pipeline)
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
                    self.add(&["GET", &key(id)], &answer);
                }
            }
        }
        self.exchange()
    }

    /// Removes the documents.
    pub(super) fn clean(mut self) -> io::Result<()> {
        for ids in std::mem::take(&mut self.ids)[..DOCUMENTS / DEPTH * DEPTH].chunks(DEPTH) {
            for id in ids {
                self.add(&["DEL", &key(*id)], ":1\r\n");
            }
            self.exchange()?;
        }
        Ok(())
    }

    fn set(&mut self, id: Uuid) {
        self.add(&["SET", &key(id), &document(id)], "+OK\r\n");
    }

    fn add(&mut self, command: &[&str], answer: &str) {
        self.written
            .extend(format!("*{}\r\n", command.len()).bytes());
        for word in command {
            self.written
                .extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
        }
        self.expected.extend(answer.bytes());
    }

    fn exchange(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.written)?;
        self.answer.resize(self.expected.len(), 0);
        self.stream.read_exact(&mut self.answer)?;
        if self.answer != self.expected {
            let text = String::from_utf8_lossy(&self.answer).into_owned();
            return Err(io::Error::other(format!(
                "unexpected answer of Redis: {text}"
            )));
        }
        self.written.clear();
        self.expected.clear();
        Ok(())
    }
}

fn key(id: Uuid) -> String {
    format!("load-test:{id}")
}

fn document(id: Uuid) -> String {
    format!(r#"{{"id":"{id}","name":"Astronomy 1234567","capacity":100,"version":1}}"#)
}
