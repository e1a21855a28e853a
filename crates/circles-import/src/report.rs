//! What became of the lines.

use std::fmt;
use std::fs::File;
use std::path::Path;

use circles_proto::circles::v1::ImportFailure;

use crate::record::{Mistake, Record};

/// How many refused lines are shown at the end; all of them go to the file.
const SHOWN: usize = 1_000;

/// How much of a line is shown.
const SHOWN_CHARACTERS: usize = 200;

/// Counts lines, and keeps those that were refused.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) created: u64,
    pub(crate) refused: u64,
    shown: Vec<Refusal>,
    file: Option<csv::Writer<File>>,
}

/// A line that was refused.
#[derive(Debug)]
struct Refusal {
    line: u64,
    content: String,
    reason: String,
    faults: Vec<Fault>,
}

/// A rule that a line breaks.
#[derive(Debug)]
struct Fault {
    /// Empty where it concerns the whole line.
    field: String,
    rule: String,
}

impl Report {
    /// Writes the refused lines to this file, which is made now, as well.
    pub(crate) fn with_file(path: &Path) -> Result<Self, csv::Error> {
        let mut file = csv::Writer::from_path(path)?;
        file.write_record(["line", "content", "reason", "field", "rule"])?;
        file.flush()?;
        Ok(Self {
            file: Some(file),
            ..Self::default()
        })
    }

    /// Takes down a line that could not be sent.
    pub(crate) fn malformed(
        &mut self,
        record: Record,
        mistake: &Mistake,
    ) -> Result<(), csv::Error> {
        let (reason, field) = match mistake.field() {
            Some(field) => ("INVALID_FIELDS", field),
            None => ("MALFORMED", ""),
        };
        let fault = Fault {
            field: field.to_owned(),
            rule: mistake.to_string(),
        };
        self.refuse(record, reason.to_owned(), vec![fault])
    }

    /// Takes down a line that the service refused.
    pub(crate) fn refused(
        &mut self,
        record: Record,
        failure: ImportFailure,
    ) -> Result<(), csv::Error> {
        let fields = failure.violations.into_iter();
        let mut faults: Vec<_> = fields
            .map(|violation| Fault {
                field: violation.field,
                rule: violation.description,
            })
            .collect();
        if faults.is_empty() {
            faults.push(Fault {
                field: String::new(),
                rule: failure.message,
            });
        }
        self.refuse(record, failure.reason, faults)
    }

    fn refuse(
        &mut self,
        record: Record,
        reason: String,
        faults: Vec<Fault>,
    ) -> Result<(), csv::Error> {
        self.refused += 1;
        if let Some(file) = &mut self.file {
            let line = record.line.to_string();
            for Fault { field, rule } in &faults {
                file.write_record([&line, &record.content, &reason, field, rule])?;
            }
        }
        if self.shown.len() < SHOWN {
            self.shown.push(Refusal {
                line: record.line,
                content: record.content,
                reason,
                faults,
            });
        }
        Ok(())
    }

    /// Brings the file to its end.
    pub(crate) fn finish(&mut self) -> Result<(), csv::Error> {
        match &mut self.file {
            Some(file) => Ok(file.flush()?),
            None => Ok(()),
        }
    }
}

/// For people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} created, {} refused", self.created, self.refused)?;
        for refusal in &self.shown {
            writeln!(f, "line {}: {}", refusal.line, shown(&refusal.content))?;
            for Fault { field, rule } in &refusal.faults {
                let subject = if field.is_empty() {
                    &refusal.reason
                } else {
                    field
                };
                writeln!(f, "    {subject}: {rule}")?;
            }
        }
        match self.refused - self.shown.len() as u64 {
            0 => Ok(()),
            more => writeln!(f, "and {more} more"),
        }
    }
}

/// Without what a terminal could take for a command.
fn shown(content: &str) -> String {
    let mut text = String::new();
    for character in content.chars().take(SHOWN_CHARACTERS) {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    if content.chars().nth(SHOWN_CHARACTERS).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_short_and_harmless() {
        assert_eq!(shown("将棋,20"), "将棋,20");
        assert_eq!(shown("\u{1b}[2J,\n20"), "\\u{1b}[2J,\\n20");
        let long = "x".repeat(SHOWN_CHARACTERS);
        assert_eq!(shown(&long), long);
        assert_eq!(shown(&format!("{long}x")), format!("{long}…"));
    }

    #[test]
    fn a_long_list_is_cut() {
        let mut report = Report::default();
        for line in 0..SHOWN as u64 + 7 {
            let record = Record {
                line,
                content: "x".to_owned(),
                end: 0,
                circle: Err(Mistake::NotText),
            };
            report.malformed(record, &Mistake::NotText).unwrap();
        }
        assert!(report.to_string().ends_with("\nand 7 more\n"));
    }
}
