//! Answers queries from the read models.
