//! Starts the command-service.

fn main() {}
