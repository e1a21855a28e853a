//! The judge passes what is right, and finds each single thing that is wrong.

mod by_hand;
mod log;
mod parked;
mod partitions;
mod whole;
