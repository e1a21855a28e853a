//! The little of the Redis protocol that tests need. Blocking and without a
//! runtime, so that a lease can be given back in `drop`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Where a server is, and how to get in.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    login: Option<String>,
    host: String,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("redis://")?;
        let (login, host) = match rest.rsplit_once('@') {
            Some((login, host)) => (Some(login.to_owned()), host),
            None => (None, rest),
        };
        let host = host.split('/').next().filter(|host| !host.is_empty())?;
        let host = if host.contains(':') {
            host.to_owned()
        } else {
            format!("{host}:6379")
        };
        Some(Self { login, host })
    }

    /// Without a database.
    pub(crate) fn url(&self) -> String {
        let login = self
            .login
            .as_ref()
            .map(|login| format!("{login}@"))
            .unwrap_or_default();
        format!("redis://{login}{}", self.host)
    }

    /// `host:port`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A text, or a number as text.
    Text(String),
    Null,
    Many(Vec<Reply>),
}

impl Reply {
    /// All texts inside, in their order.
    pub(crate) fn texts(self) -> Vec<String> {
        match self {
            Self::Text(text) => vec![text],
            Self::Null => Vec::new(),
            Self::Many(replies) => replies.into_iter().flat_map(Self::texts).collect(),
        }
    }

    /// The elements of an array; none of anything else.
    pub(crate) fn elements(self) -> Vec<Reply> {
        match self {
            Self::Many(replies) => replies,
            _ => Vec::new(),
        }
    }
}

/// One connection.
pub(crate) struct Wire {
    reader: BufReader<TcpStream>,
}

impl Wire {
    pub(crate) fn connect(address: &Address) -> io::Result<Self> {
        let stream = TcpStream::connect(&address.host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let mut wire = Self {
            reader: BufReader::new(stream),
        };
        match address
            .login
            .as_deref()
            .and_then(|login| login.split_once(':'))
        {
            Some(("", password)) => drop(wire.exchange(&["AUTH", password])?),
            Some((user, password)) => drop(wire.exchange(&["AUTH", user, password])?),
            None => {}
        }
        Ok(wire)
    }

    /// The answer's texts; none for null. A refusal is printed and answers as null.
    ///
    /// # Panics
    ///
    /// Where the server does not answer: the next answer would be to this.
    pub(crate) fn command(&mut self, words: &[&str]) -> Vec<String> {
        let command = words.first().unwrap_or(&"");
        match self.exchange(words) {
            Ok(reply) => reply.texts(),
            Err(error) if error.kind() == io::ErrorKind::Other => {
                eprintln!("{command}: {error}");
                Vec::new()
            }
            Err(error) => panic!("{command}: {error}"),
        }
    }

    /// Sends a command and reads the answer; a refusal is an error of [`io::ErrorKind::Other`].
    pub(crate) fn exchange(&mut self, words: &[&str]) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.reader.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let (kind, rest) = line.split_at_checked(1).unwrap_or_default();
        let length = || rest.parse::<i64>().map_err(io::Error::other);
        match kind {
            "+" | ":" => Ok(Reply::Text(rest.to_owned())),
            "$" => match usize::try_from(length()?) {
                Ok(length) => {
                    // With the line's end.
                    let mut text = vec![0; length + 2];
                    self.reader.read_exact(&mut text)?;
                    text.truncate(length);
                    Ok(Reply::Text(String::from_utf8_lossy(&text).into_owned()))
                }
                Err(_) => Ok(Reply::Null),
            },
            "*" => {
                let replies = (0..length()?).map(|_| self.answer());
                Ok(Reply::Many(replies.collect::<Result<_, _>>()?))
            }
            _ => Err(io::Error::other(format!("the server answered {line:?}"))),
        }
    }
}
