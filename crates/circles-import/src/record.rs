//! The records of a CSV file, each in its place: what is malformed is told with its line, and what comes after it is
//! read all the same.

use std::io::{self, BufRead};
use std::num::{IntErrorKind, ParseIntError};

use crate::lines::{Lines, MAX_LENGTH};
use crate::parser::{Parsed, Parser};

/// A record of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The line where it begins, counted from 1.
    pub(crate) line: u64,
    /// As it stands in the file.
    pub(crate) content: String,
    /// How many bytes of the file end with it.
    pub(crate) end: u64,
    /// What it says, or why that can't be known.
    pub(crate) circle: Result<Circle, Mistake>,
}

/// What a line wants to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Circle {
    pub(crate) name: String,
    pub(crate) capacity: i32,
}

/// Why a line can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mistake {
    #[error("not valid UTF-8")]
    NotText,
    #[error("longer than {MAX_LENGTH} bytes")]
    TooLong,
    #[error("a quote that is not closed in its line")]
    OpenQuote,
    #[error("number of fields: {found}, in the first line: {expected}")]
    Fields { expected: usize, found: usize },
    #[error("must be a whole number")]
    NoNumber,
    #[error("a number of that size is no capacity")]
    FarOut,
}

impl Mistake {
    /// The field that is wrong, where it is not the line as a whole.
    pub(crate) fn field(&self) -> Option<&'static str> {
        match self {
            Self::NoNumber | Self::FarOut => Some("capacity"),
            Self::NotText | Self::TooLong | Self::OpenQuote | Self::Fields { .. } => None,
        }
    }
}

/// Why there are no records.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("the file can't be read")]
    Read(#[from] io::Error),
    #[error("the file is empty; its first line has to name the columns")]
    Missing,
    #[error("the first line is malformed: {0}")]
    Malformed(Mistake),
    #[error("the first line has to name the column {0} once; it names {1} of it")]
    Column(&'static str, usize),
}

/// Reads records.
pub(crate) struct Records<R> {
    lines: Lines<R>,
    parser: Parser,
    columns: usize,
    name: usize,
    capacity: usize,
}

impl<R: BufRead> Records<R> {
    /// Reads the header.
    pub(crate) fn new(input: R) -> Result<Self, HeaderError> {
        let mut lines = Lines::new(input);
        let mut parser = Parser::new();
        let mut header = lines.next()?.ok_or(HeaderError::Missing)?;
        if header.bytes.starts_with(BYTE_ORDER_MARK) {
            header.bytes.drain(..BYTE_ORDER_MARK.len());
        }
        if header.bytes.is_empty() {
            return Err(HeaderError::Missing);
        }
        let names = match parser.begin(&header) {
            Ok(Parsed::Whole(names)) => names,
            Ok(Parsed::Open) => return Err(HeaderError::Malformed(Mistake::OpenQuote)),
            Err(mistake) => return Err(HeaderError::Malformed(mistake)),
        };
        let column = |wanted| {
            let mut found = (0..).zip(&names).filter(|(_, name)| name.trim() == wanted);
            match (found.next(), found.count()) {
                (Some((index, _)), 0) => Ok(index),
                (first, others) => {
                    let count = others + usize::from(first.is_some());
                    Err(HeaderError::Column(wanted, count))
                }
            }
        };
        Ok(Self {
            name: column("name")?,
            capacity: column("capacity")?,
            columns: names.len(),
            lines,
            parser,
        })
    }

    /// The next record, if there is one. Empty lines are none.
    pub(crate) fn next(&mut self) -> io::Result<Option<Record>> {
        let first = loop {
            match self.lines.next()? {
                Some(line) if line.bytes.is_empty() => {}
                Some(line) => break line,
                None => return Ok(None),
            }
        };
        let mut parsed = self.parser.begin(&first);
        let mut lines = vec![first];
        while parsed == Ok(Parsed::Open) {
            parsed = match self.lines.next()? {
                Some(line) => {
                    let parsed = self.parser.go_on(&line);
                    lines.push(line);
                    parsed
                }
                None => Err(Mistake::OpenQuote),
            };
        }
        let circle = match parsed {
            Ok(Parsed::Whole(fields)) => self.circle(&fields),
            Ok(Parsed::Open) => Err(Mistake::OpenQuote),
            // It is not its first line that is too long.
            Err(Mistake::TooLong) if lines.len() > 1 => Err(Mistake::OpenQuote),
            Err(mistake) => Err(mistake),
        };
        let is_cut_up_rightly = match &circle {
            Ok(_) => true,
            Err(mistake) => mistake.field().is_some(),
        };
        if !is_cut_up_rightly {
            // Perhaps a stray quote has swallowed lines that mean something by themselves.
            self.lines.put_back(lines.split_off(1));
        }
        let content: Vec<_> = lines
            .iter()
            .map(|line| String::from_utf8_lossy(&line.bytes))
            .collect();
        Ok(Some(Record {
            line: lines[0].number,
            content: content.join("\n"),
            end: lines[lines.len() - 1].end,
            circle,
        }))
    }

    fn circle(&self, fields: &[String]) -> Result<Circle, Mistake> {
        if fields.len() != self.columns {
            return Err(Mistake::Fields {
                expected: self.columns,
                found: fields.len(),
            });
        }
        let (name, capacity) = (&fields[self.name], &fields[self.capacity]);
        // No name and no number has a line break in it.
        if name.contains('\n') || capacity.contains('\n') {
            return Err(Mistake::OpenQuote);
        }
        Ok(Circle {
            name: name.clone(),
            capacity: whole_number(capacity)?,
        })
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Any number that a message can carry: which ones are allowed is for the service to say.
fn whole_number(text: &str) -> Result<i32, Mistake> {
    text.trim()
        .parse()
        .map_err(|error: ParseIntError| match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => Mistake::FarOut,
            _ => Mistake::NoNumber,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Result<Records<&[u8]>, String> {
        Records::new(text.as_bytes()).map_err(|error| error.to_string())
    }

    /// Line, content and what it comes to.
    type Read = (u64, String, Result<(String, i32), Mistake>);

    fn read(text: &[u8]) -> Vec<Read> {
        let mut records = Records::new(text).unwrap();
        let mut all = Vec::new();
        while let Some(record) = records.next().unwrap() {
            let circle = record.circle.map(|circle| (circle.name, circle.capacity));
            all.push((record.line, record.content, circle));
        }
        all
    }

    fn circle(line: u64, content: &str, name: &str, capacity: i32) -> Read {
        (line, content.to_owned(), Ok((name.to_owned(), capacity)))
    }

    fn mistake(line: u64, content: &str, mistake: Mistake) -> Read {
        (line, content.to_owned(), Err(mistake))
    }

    fn fields(expected: usize, found: usize) -> Mistake {
        Mistake::Fields { expected, found }
    }

    #[test]
    fn columns_are_found_by_name() {
        let text = b"\xef\xbb\xbfid, capacity ,\"name\",notes\r\n7, 20 ,chess,x\r\n";
        assert_eq!(read(text), [circle(2, "7, 20 ,chess,x", "chess", 20)]);
        for (text, complaint) in [
            ("", "is empty"),
            ("\nname,capacity", "is empty"),
            ("name", "column capacity once; it names 0"),
            ("Name,capacity", "column name once; it names 0"),
            ("name,capacity,name", "column name once; it names 2"),
            ("name,\"capacity", "a quote that is not closed"),
        ] {
            let error = header(text).err().unwrap();
            assert!(error.contains(complaint), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_malformed_line_leaves_its_neighbours_alone() {
        let text = b"name,capacity\na,20\nb\n\nc,20,30\n\xff,20\nd,many\ne,20";
        let expected = [
            circle(2, "a,20", "a", 20),
            mistake(3, "b", fields(2, 1)),
            mistake(5, "c,20,30", fields(2, 3)),
            mistake(6, "\u{fffd},20", Mistake::NotText),
            mistake(7, "d,many", Mistake::NoNumber),
            circle(8, "e,20", "e", 20),
        ];
        assert_eq!(read(text), expected);
    }

    #[test]
    fn a_stray_quote_swallows_nothing() {
        // Closed by nothing, by another stray one, and by one after more than a record may have.
        let far = "f,20\n".repeat(MAX_LENGTH / 5 + 1);
        for (rest, after) in [
            ("b,20\n", 1),
            ("b,20\n\"c,20\nd,20\n", 3),
            (&far, MAX_LENGTH / 5 + 1),
        ] {
            let text = format!("name,capacity\n\"a,20\n{rest}");
            let all = read(text.as_bytes());
            assert_eq!(all[0], mistake(2, "\"a,20", Mistake::OpenQuote));
            assert_eq!(all.len(), 1 + after);
            let stray = all.iter().filter(|(.., circle)| circle.is_err()).count();
            assert_eq!(stray, rest.matches('"').count() + 1);
        }
    }

    #[test]
    fn a_column_that_is_passed_over_may_have_several_lines() {
        let text = b"name,notes,capacity\na,\"x\n\ny\",20\nb,\"x\ny\",?\nc,,20\n";
        let expected = [
            circle(2, "a,\"x\n\ny\",20", "a", 20),
            mistake(5, "b,\"x\ny\",?", Mistake::NoNumber),
            circle(7, "c,,20", "c", 20),
        ];
        assert_eq!(read(text), expected);
    }

    #[test]
    fn a_capacity_is_a_number_that_a_message_can_carry() {
        assert_eq!(whole_number(" -7 "), Ok(-7));
        assert_eq!(whole_number("2147483647"), Ok(i32::MAX));
        for text in ["2147483648", "-99999999999999999999"] {
            assert_eq!(whole_number(text), Err(Mistake::FarOut), "{text:?}");
        }
        for text in ["", " ", "20.0", "2e1", "many", "1 000"] {
            assert_eq!(whole_number(text), Err(Mistake::NoNumber), "{text:?}");
        }
    }
}
