//! A file line by line, in bounded memory.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read as _};

/// The most bytes of a line, and of all the lines of a record. Names have 100 characters at
/// most, so this leaves plenty to columns that are passed over.
pub(crate) const MAX_LENGTH: usize = 64 << 10;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: u64,
    /// Without its end, and of a longer line no more than [`MAX_LENGTH`].
    pub(crate) bytes: Vec<u8>,
    /// Whether there was more.
    pub(crate) too_long: bool,
    /// How many bytes of the file end with this line.
    pub(crate) end: u64,
}

/// The lines of a file.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: R,
    number: u64,
    position: u64,
    put_back: VecDeque<Line>,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            number: 0,
            position: 0,
            put_back: VecDeque::new(),
        }
    }

    /// The next line, if there is one. Its end is `\n` or `\r\n`, or the file's end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.put_back.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        let mut limited = (&mut self.input).take(MAX_LENGTH as u64 + 2);
        let mut length = limited.read_until(b'\n', &mut bytes)? as u64;
        if length == 0 {
            return Ok(None);
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        } else {
            length += self.skip_to_end()?;
        }
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        let too_long = bytes.len() > MAX_LENGTH;
        bytes.truncate(MAX_LENGTH);
        self.number += 1;
        self.position += length;
        Ok(Some(Line {
            number: self.number,
            bytes,
            too_long,
            end: self.position,
        }))
    }

    /// Gives lines back, to be read next.
    pub(crate) fn put_back(&mut self, lines: Vec<Line>) {
        for line in lines.into_iter().rev() {
            self.put_back.push_front(line);
        }
    }

    fn skip_to_end(&mut self) -> io::Result<u64> {
        let mut skipped = 0;
        loop {
            let buffer = self.input.fill_buf()?;
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let used = end.map_or(buffer.len(), |end| end + 1);
            self.input.consume(used);
            skipped += used as u64;
            if end.is_some() || used == 0 {
                return Ok(skipped);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<Line> {
        // A tiny buffer, so that lines cross its end.
        let mut lines = Lines::new(io::BufReader::with_capacity(7, input));
        std::iter::from_fn(|| lines.next().unwrap()).collect()
    }

    #[test]
    fn ends_of_lines_are_left_out_and_counted() {
        let read = lines(b"one\n\r\ntwo\r\r\nthree");
        let expected: [(u64, &[u8], u64); 4] = [
            (1, b"one", 4),
            (2, b"", 6),
            (3, b"two\r", 12),
            (4, b"three", 17),
        ];
        let read: Vec<_> = read
            .iter()
            .map(|line| (line.number, line.bytes.as_slice(), line.end))
            .collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn of_a_long_line_the_beginning_is_kept() {
        for (length, end) in [
            (MAX_LENGTH, "\n"),
            (MAX_LENGTH, "\r\n"),
            (MAX_LENGTH, ""),
            (MAX_LENGTH + 1, "\n"),
            (MAX_LENGTH + 1, "\r\n"),
            (MAX_LENGTH + 1, ""),
            (3 * MAX_LENGTH, "\n"),
        ] {
            let long = format!("{}{end}", "x".repeat(length));
            let read = lines(long.as_bytes());
            assert_eq!(read.len(), 1, "{length} {end:?}");
            assert_eq!(read[0].bytes.len(), MAX_LENGTH);
            assert_eq!(read[0].too_long, length > MAX_LENGTH, "{length} {end:?}");
            assert_eq!(read[0].end, long.len() as u64);
        }
        let next = lines(format!("{}\nnext\n", "x".repeat(2 * MAX_LENGTH)).as_bytes());
        assert_eq!(
            (next[1].number, next[1].bytes.as_slice()),
            (2, &b"next"[..])
        );
    }

    #[test]
    fn what_is_put_back_comes_again() {
        let mut lines = Lines::new(&b"one\ntwo\nthree\n"[..]);
        let first: Vec<_> = (0..2).map(|_| lines.next().unwrap().unwrap()).collect();
        lines.put_back(first.clone());
        let again: Vec<_> = std::iter::from_fn(|| lines.next().unwrap()).collect();
        assert_eq!(again[..2], first);
        assert_eq!(again[2].number, 3);
    }
}
