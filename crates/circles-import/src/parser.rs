//! One CSV record from one or more lines.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use crate::lines::{Line, MAX_LENGTH};
use crate::record::Mistake;

/// Parses a record at a time, and says whether it goes on in the next line.
pub(crate) struct Parser {
    reader: Reader,
    /// What the fields say, one after the other.
    text: Vec<u8>,
    text_length: usize,
    /// Where each of them ends.
    ends: Vec<usize>,
    fields: usize,
}

/// How far a record is after a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// Here are its fields.
    Whole(Vec<String>),
    /// The line has ended inside of a quoted field.
    Open,
}

impl Parser {
    pub(crate) fn new() -> Self {
        // Fields say no more than the lines do, and there is a separator between two of them.
        let most = MAX_LENGTH + 2;
        Self {
            // Lines come without their ends; this one is added to each.
            reader: ReaderBuilder::new()
                .terminator(Terminator::Any(b'\n'))
                .build(),
            text: vec![0; most],
            text_length: 0,
            ends: vec![0; most],
            fields: 0,
        }
    }

    /// Parses the first line of a record. What was open before is forgotten.
    pub(crate) fn begin(&mut self, line: &Line) -> Result<Parsed, Mistake> {
        self.reader.reset();
        (self.text_length, self.fields) = (0, 0);
        self.go_on(line)
    }

    /// Parses the next line of a record that is open.
    pub(crate) fn go_on(&mut self, line: &Line) -> Result<Parsed, Mistake> {
        if line.too_long || self.text_length + line.bytes.len() > MAX_LENGTH {
            return Err(Mistake::TooLong);
        }
        match self.feed(&line.bytes) {
            ReadRecordResult::InputEmpty => {}
            _ => return Err(Mistake::TooLong),
        }
        match self.feed(b"\n") {
            ReadRecordResult::Record => self.take().map(Parsed::Whole),
            ReadRecordResult::InputEmpty => Ok(Parsed::Open),
            _ => Err(Mistake::TooLong),
        }
    }

    fn feed(&mut self, input: &[u8]) -> ReadRecordResult {
        if input.is_empty() {
            // To the reader this would be the end of the file.
            return ReadRecordResult::InputEmpty;
        }
        let (result, _, written, ended) = self.reader.read_record(
            input,
            &mut self.text[self.text_length..],
            &mut self.ends[self.fields..],
        );
        self.text_length += written;
        self.fields += ended;
        result
    }

    fn take(&self) -> Result<Vec<String>, Mistake> {
        let mut begin = 0;
        let mut fields = Vec::with_capacity(self.fields);
        for &end in &self.ends[..self.fields] {
            let field = std::str::from_utf8(&self.text[begin..end]);
            fields.push(field.map_err(|_| Mistake::NotText)?.to_owned());
            begin = end;
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: impl Into<Vec<u8>>) -> Line {
        Line {
            number: 1,
            bytes: bytes.into(),
            too_long: false,
            end: 0,
        }
    }

    fn whole(fields: &[&str]) -> Result<Parsed, Mistake> {
        Ok(Parsed::Whole(
            fields.iter().map(ToString::to_string).collect(),
        ))
    }

    #[test]
    fn quotes_and_separators() {
        let mut parser = Parser::new();
        for (text, fields) in [
            ("a,b", &["a", "b"][..]),
            ("\"a,b\",\"say \"\"c\"\"\"", &["a,b", "say \"c\""]),
            (",", &["", ""]),
            ("\"\"", &[""]),
            ("5\" pipe,20", &["5\" pipe", "20"]),
            ("a\rb,\u{feff}c", &["a\rb", "\u{feff}c"]),
            ("alone", &["alone"]),
        ] {
            assert_eq!(parser.begin(&line(text)), whole(fields), "{text:?}");
        }
    }

    #[test]
    fn a_quoted_field_goes_on_in_the_next_line() {
        let mut parser = Parser::new();
        for _ in 0..2 {
            assert_eq!(parser.begin(&line("a,\"b")), Ok(Parsed::Open));
            assert_eq!(parser.go_on(&line("")), Ok(Parsed::Open));
            assert_eq!(parser.go_on(&line("c\",d")), whole(&["a", "b\n\nc", "d"]));
            // One that is never closed leaves no trace.
            assert_eq!(parser.begin(&line("\"open")), Ok(Parsed::Open));
        }
    }

    #[test]
    fn nothing_is_longer_than_the_limit() {
        let mut parser = Parser::new();
        let long = "x".repeat(MAX_LENGTH);
        assert_eq!(parser.begin(&line(long.as_str())), whole(&[&long]));
        let commas = ",".repeat(MAX_LENGTH);
        let fields = parser.begin(&line(commas.as_str()));
        assert!(matches!(fields, Ok(Parsed::Whole(fields)) if fields.len() == MAX_LENGTH + 1));
        assert_eq!(parser.begin(&line("\"xx")), Ok(Parsed::Open));
        assert_eq!(parser.go_on(&line(long)), Err(Mistake::TooLong));
        assert_eq!(
            parser.begin(&line(b"a,\xff".as_slice())),
            Err(Mistake::NotText)
        );
    }
}
