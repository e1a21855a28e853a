//! Redis by hand: commands written in one piece, answers compared with what must come.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// One connection.
pub(crate) struct Pipe {
    stream: BufReader<TcpStream>,
    written: Vec<u8>,
    expected: Vec<u8>,
    /// What must come for each piece that was sent and not yet answered.
    outstanding: VecDeque<Vec<u8>>,
    answer: Vec<u8>,
}

impl Pipe {
    /// `url` is `redis://host:port`, with `/` and the number of a logical database where not the first is
    /// meant.
    pub(crate) fn connect(url: &str) -> io::Result<Self> {
        let address = url.strip_prefix("redis://").ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "must be redis://host:port")
        })?;
        let (address, database) = address.split_once('/').unwrap_or((address, ""));
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        // An answer that is shorter than expected would be waited for without end.
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut pipe = Self {
            stream: BufReader::new(stream),
            written: Vec::new(),
            expected: Vec::new(),
            outstanding: VecDeque::new(),
            answer: Vec::new(),
        };
        if !database.is_empty() {
            pipe.add(&["SELECT", database], "+OK\r\n");
            pipe.exchange()?;
        }
        Ok(pipe)
    }

    /// Adds a command to the piece that is sent next.
    pub(crate) fn add(&mut self, command: &[&str], answer: &str) {
        self.written
            .extend(format!("*{}\r\n", command.len()).bytes());
        for word in command {
            self.written
                .extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
        }
        self.expected.extend(answer.bytes());
    }

    /// Sends what was added, without waiting.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        self.stream.get_mut().write_all(&self.written)?;
        self.written.clear();
        self.outstanding
            .push_back(std::mem::take(&mut self.expected));
        Ok(())
    }

    /// Reads the answers to the oldest piece; nothing where there is none.
    pub(crate) fn receive(&mut self) -> io::Result<()> {
        let Some(mut expected) = self.outstanding.pop_front() else {
            return Ok(());
        };
        self.answer.resize(expected.len(), 0);
        self.stream.read_exact(&mut self.answer)?;
        if self.answer != expected {
            let text = String::from_utf8_lossy(&self.answer).into_owned();
            return Err(io::Error::other(format!(
                "unexpected answer of Redis: {text}"
            )));
        }
        // Its memory serves again.
        if self.expected.is_empty() {
            expected.clear();
            self.expected = expected;
        }
        Ok(())
    }

    /// How many pieces wait for their answers.
    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// Sends what was added and reads all answers.
    pub(crate) fn exchange(&mut self) -> io::Result<()> {
        self.send()?;
        while self.outstanding() > 0 {
            self.receive()?;
        }
        Ok(())
    }

    /// A figure of Redis about itself.
    pub(crate) fn info(&mut self, name: &str) -> io::Result<u64> {
        self.add(&["INFO", "stats"], "");
        self.send()?;
        self.outstanding.pop_back();
        let mut length = String::new();
        self.stream.read_line(&mut length)?;
        let length: usize = length
            .trim_end()
            .strip_prefix('$')
            .and_then(|length| length.parse().ok())
            .ok_or_else(|| io::Error::other(format!("unexpected answer of Redis: {length}")))?;
        let mut text = vec![0; length + "\r\n".len()];
        self.stream.read_exact(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value
            .and_then(|value| value.trim_end().parse().ok())
            .ok_or_else(|| io::Error::other(format!("Redis does not tell {name}")))
    }
}
