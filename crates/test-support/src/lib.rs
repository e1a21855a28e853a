//! Real servers for tests: a database and a key space for each.
