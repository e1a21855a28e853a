//! Starts the query-service.

fn main() {}
