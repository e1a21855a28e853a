//! The three services together, as processes, as a user runs them. All of it is in `tests`.
