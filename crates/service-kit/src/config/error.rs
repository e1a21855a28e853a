//! What was wrong with the configuration.

use std::fmt;

/// One variable that breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The variable.
    pub name: String,
    /// What it has to be, as the end of the sentence "it ...".
    pub rule: String,
    /// What it was. Nothing for secrets and for variables that are not set.
    pub value: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A rule may come from a foreign parser: one mistake stays one line all the same.
        let rule = self.rule.replace(['\r', '\n'], " ");
        write!(f, "{}: {rule}", self.name)?;
        match &self.value {
            Some(value) => write!(f, ", not {value:?}"),
            None => Ok(()),
        }
    }
}

/// Every mistake that was found, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Mistake>);

impl ConfigErrors {
    pub(super) fn new(mistakes: Vec<Mistake>) -> Self {
        Self(mistakes)
    }

    /// The mistakes, in the order in which the variables were read.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.0
    }
}

/// One line per mistake, without a line break at the end.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
