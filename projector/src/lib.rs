//! Tails the log and keeps the read models.
