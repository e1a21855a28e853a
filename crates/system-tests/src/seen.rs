//! What somebody has who watches all circles.

use test_support::judge::Documents;

#[cfg(test)]
mod tests;

/// The circles, and how far they were told.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// As the read model keeps them.
    pub documents: Documents,
    /// The last sequence that was told.
    pub sequence: u64,
}

/// What a watch told of a circle.
#[derive(Clone, Debug)]
pub struct Change {
    /// Of this sequence.
    pub sequence: u64,
    /// Nothing happened, but it was shown wrongly before.
    pub is_correction: bool,
    /// Which circle.
    pub circle_id: String,
    /// Its document; none where it is gone.
    pub document: Option<String>,
}

impl Seen {
    /// Takes a change in.
    ///
    /// Its sequence may be that of the one before: after an interruption some are told again. That
    /// of a correction may be any: where the log lost its tail, the circles that it concerned are
    /// corrected first, as of the last event that is left, and what follows replaces what was told.
    ///
    /// # Errors
    ///
    /// Says what came out of the log's order.
    pub fn take(&mut self, change: Change) -> Result<(), String> {
        if change.sequence < self.sequence && !change.is_correction {
            return Err(format!("{change:?} came after {}", self.sequence));
        }
        self.sequence = change.sequence;
        match change.document {
            Some(document) => self.documents.insert(change.circle_id, document),
            None => self.documents.remove(&change.circle_id),
        };
        Ok(())
    }
}
