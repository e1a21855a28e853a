//! Turns commands into events and appends them to the log.
