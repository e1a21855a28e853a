//! The three services together, as a user runs them.
