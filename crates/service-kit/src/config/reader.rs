//! Reads variables one by one and remembers every mistake.

use std::{fmt::Display, fs};

use super::{ConfigErrors, Mistake, Source};

/// The variable broke its rule, and the [`Reader`] has noted which one and how.
///
/// Only a reader makes it. So whoever holds one knows that [`read`] will fail, and tell why.
#[derive(Debug)]
pub struct Invalid(());

/// Reads a configuration.
///
/// `configure` reads every variable before its first `?`; otherwise the mistakes after it stay unseen.
///
/// # Errors
/// All the mistakes that the reader noted.
pub fn read<T>(
    source: &dyn Source,
    configure: impl FnOnce(&mut Reader<'_>) -> Result<T, Invalid>,
) -> Result<T, ConfigErrors> {
    let mut reader = Reader {
        source,
        mistakes: Vec::new(),
    };
    match configure(&mut reader) {
        Ok(config) if reader.mistakes.is_empty() => Ok(config),
        // A mistake counts even where its `Invalid` was dropped.
        Ok(_) | Err(Invalid(())) => Err(ConfigErrors::new(reader.mistakes)),
    }
}

/// Reads variables from a [`Source`]. A variable that is set but empty counts as unset, since
/// templates (Kubernetes, Compose) cannot leave one out.
pub struct Reader<'a> {
    source: &'a dyn Source,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    /// A variable that must be set.
    ///
    /// # Errors
    /// When it is not set, or when `parse` refuses it. The error of `parse` is the rule, such as "must be true or false".
    pub fn required<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Invalid> {
        match self.optional(name, parse)? {
            Some(value) => Ok(value),
            None => Err(self.reject(name, "must be set")),
        }
    }

    /// A variable that may be left out.
    ///
    /// # Errors
    /// When `parse` refuses it.
    pub fn optional<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Invalid> {
        let Some(value) = self.text(name)? else {
            return Ok(None);
        };
        match parse(&value) {
            Ok(parsed) => Ok(Some(parsed)),
            Err(rule) => Err(self.note(name, rule, Some(value))),
        }
    }

    /// A variable with a default.
    ///
    /// # Errors
    /// When `parse` refuses it.
    pub fn or<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
        default: T,
    ) -> Result<T, Invalid> {
        Ok(self.optional(name, parse)?.unwrap_or(default))
    }

    /// A secret that must be given: in the variable itself, or in the file that `<name>_FILE` names.
    ///
    /// The errors of `parse` are printed, so they must not repeat the value.
    ///
    /// # Errors
    /// As for [`Reader::optional_secret`], and when neither variable is set.
    pub fn secret<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Invalid> {
        match self.optional_secret(name, parse)? {
            Some(value) => Ok(value),
            None => Err(self.reject(name, &format!("must be set, or {name}_FILE in its place"))),
        }
    }

    /// A secret that may be left out. Line breaks at the end of the file are not part of it.
    ///
    /// # Errors
    /// When both variables are set, the file can't be read or is empty, or `parse` refuses the secret.
    pub fn optional_secret<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Invalid> {
        let file_name = format!("{name}_FILE");
        let direct = self.text(name);
        let path = self.text(&file_name);
        let (from, value) = match (direct?, path?) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(
                    self.reject(name, &format!("must not be set together with {file_name}"))
                );
            }
            (Some(value), None) => (name, value),
            (None, Some(path)) => match fs::read_to_string(&path) {
                Ok(content) => (
                    file_name.as_str(),
                    content.trim_end_matches(['\r', '\n']).to_owned(),
                ),
                Err(error) => {
                    let rule = format!("must name a readable text file ({error})");
                    // The path is not told: it is the secret where that was put into the wrong variable.
                    return Err(self.note(&file_name, rule, None));
                }
            },
        };
        if value.is_empty() {
            return Err(self.reject(from, "must name a file that is not empty"));
        }
        match parse(&value) {
            Ok(parsed) => Ok(Some(parsed)),
            Err(rule) => Err(self.note(from, rule, None)),
        }
    }

    /// Notes a mistake that only shows when variables are seen together.
    pub fn reject(&mut self, name: &str, rule: &str) -> Invalid {
        self.note(name, rule, None)
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, Invalid> {
        match self.source.get(name).map(|value| value.into_string()) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value).filter(|value| !value.is_empty())),
            Some(Err(_)) => Err(self.reject(name, "must be valid UTF-8")),
        }
    }

    fn note(&mut self, name: &str, rule: impl Display, value: Option<String>) -> Invalid {
        self.mistakes.push(Mistake {
            name: name.to_owned(),
            rule: rule.to_string(),
            value,
        });
        Invalid(())
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
