//! The read models in Redis: key layout, encoding, atomic apply, reads.
//!
//! [`Connection`] holds the sockets. A projector writes with [`Projection`],
//! a query service reads with [`Reader`] and waits with [`Follower`].
//! Redis 6.2 and later 6 and 7 versions and Valkey serve alike, as one node or
//! as a primary with replicas; all keys share one logical database.
//!
//! # The keys, a public contract
//!
//! | key | type | content |
//! |---|---|---|
//! | `circle:{id}` | string | `{"id":"..","name":"..","capacity":20,"version":1}`, JSON without spaces, its keys in this order; absent for a circle that does not exist or is deleted |
//! | `circles:by_name` | sorted set | per circle: score 0, member `name NUL id NUL capacity` |
//! | `circles:by_capacity` | sorted set | per circle: score 0, member `capacity NUL name NUL id`, the capacity with 5 digits |
//! | `circles:by_create_time` | sorted set | per circle: the score is the sequence of its CircleCreated event, member `name NUL capacity NUL id` |
//! | `circles:checkpoint` | string | `{"sequence":7,"event_id":".."}`: the last event of the log that is in the read model; `{"sequence":0,"event_id":null}` for the empty log; absent while the read model was never built |
//!
//! and the channel `circles:applied`, on which every change of the checkpoint
//! is announced. Announcements are hints: they can be lost, they come from
//! every logical database alike, and nobody trusts their payload.
//!
//! Why so:
//!
//! - Everything that one batch of events changes is written by one script, the
//!   checkpoint included. A reader that takes documents and checkpoint in one
//!   command sees one moment of the log.
//! - Names hold no control characters, so NUL ends a field, and since it sorts
//!   before every other byte a name sorts before the names that it begins. The
//!   order of the bytes of UTF-8 is the order of code points.
//! - Members carry name and capacity, so that a filter is decided on the index
//!   alone and only the documents of the page are read.
//! - A page goes on behind the place of the last circle looked at, whether or
//!   not that circle is still there; see [`Position`].

mod batch;
mod checkpoint;
mod config;
mod connection;
mod document;
mod error;
mod follower;
mod keys;
mod list;
mod position;
mod projection;
mod reader;
mod script;
mod task;

pub use batch::{Batch, Change};
pub use checkpoint::Checkpoint;
pub use config::Config;
pub use connection::Connection;
pub use document::Document;
pub use error::{Corruption, Error, SetupError};
pub use follower::Follower;
pub use list::{ListQuery, Order, Page, SCAN_LIMIT};
pub use position::{InvalidPosition, Position};
pub use projection::{Outcome, Projection};
pub use reader::{Found, Reader};
