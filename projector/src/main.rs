//! Starts the projector.

fn main() {}
