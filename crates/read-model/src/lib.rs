//! The read models in Redis: key layout, encoding, atomic apply, reads.
//!
//! [`Connection`] holds the sockets. A projector writes with [`Partition`],
//! a query service reads with [`Reader`], waits with [`Follower`] and watches
//! with [`Feed`].
//! Redis 6.2 and later 6 and 7 versions and Valkey serve alike, as one node, as
//! a primary with replicas, or as a cluster; all keys share one logical database.
//!
//! # The keys, a public contract
//!
//! | key | type | content |
//! |---|---|---|
//! | `circle:{id}` | string | `{"id":"..","name":"..","capacity":20,"version":1}`, JSON without spaces, its keys in this order; absent for a circle that does not exist or is deleted |
//! | `circle:{id}:history` | list | one [`HistoryEntry`] per version, in their order; it stays when the circle is deleted |
//! | `circles:by_name` | sorted set | per circle: score 0, member `name NUL id capacity version` |
//! | `circles:by_capacity` | sorted set | per circle: score 0, member `capacity name NUL id version` |
//! | `circles:by_create_time` | sorted set | per circle: the score is the sequence of its CircleCreated event, the member that of `circles:by_capacity` |
//! | `circles:changes` | stream | one entry per event, of the id `{sequence}-0`, and one per correction, `{sequence}-1` and so on, with the fields `type` (`circle_created`, `circle_updated`, `circle_deleted`, `corrected`), `circle_id`, `version`, `event_id`, `document` (as in `circle:{id}`, after the change); empty where there is none. Only the last ones are kept |
//! | `circles:changes:floor` | string | a sequence: every change after it is still in `circles:changes`; absent means 0 |
//! | `circles:checkpoint` | string | `{"sequence":7,"event_id":".."}`: the last event of the log that is in the read model; `{"sequence":0,"event_id":null}` for the empty log; absent while the read model is not built |
//! | `circles:building` | string | while the read model is built, its checkpoint; `wiping:{holder}` while remains are removed before |
//! | `circles:revision` | string | a number: how often something was written that was not the next event; absent means 0 |
//! | `circles:parked` | hash | per parked circle, by its id: `{"sequence":7,"version":2,"reason":".."}`, the event that could not be taken in |
//! | `circles:parked:count` | string | how many these are; absent for none |
//! | `circles:rewound` | string | `{"common":5,"until":9,"times":1}`: the log lost its events from 6 to 9 and has others there now, so that a watch from any of these begins at 5; of several times, the widest bounds; where it lost more than is kept, bounds that end the watches that saw it; absent where that never happened |
//! | `circles:holes` | hash | holes in the log that an operator let pass: the last sequence before, the first one behind |
//! | `circles:layout` | string | `2`: that all this is as described here |
//! | `circles:lease` | string | the projector that works, with a time to live |
//! | `circles:as_of` | string | a moment, in milliseconds of Unix time by the projector's clock: everything that was in the log then is in the read model. Written with the lease, about three times in its time; absent where that is not known |
//! | `circles:replaced` | string | that these read models are not in use: they were built to take the place of others, or others have taken theirs; they lie in the spare database and may be removed |
//!
//! and the channel `circles:applied`, on which every change of the checkpoint
//! is announced. Announcements are hints: they can be lost, they come from
//! every logical database alike, and nobody trusts their payload.
//!
//! In members capacities have 5 digits and versions 10, with leading zeros.
//!
//! In a Redis Cluster, and wherever there are several partitions, the read
//! model is spread over partitions: each of them has all of these keys for its
//! circles, its own checkpoint included, and all with its number in braces
//! before them, as `{3}:circle:{id}` and `{3}:circles:checkpoint`, so that they
//! lie in one slot. [`Layout::partition_of`] tells where a circle belongs. Lease,
//! as_of and holes are in partition 0.
//!
//! Why so:
//!
//! - Everything that one batch of events changes is written by one script, the
//!   checkpoint included. A reader that takes documents and checkpoint in one
//!   command sees one moment of the log.
//! - Names hold no control characters, so NUL ends a name, and since it sorts
//!   before every other byte a name sorts before the names that it begins. The
//!   order of the bytes of UTF-8 is the order of code points.
//! - Members carry the whole circle, so that lists read no documents, and what
//!   filters look at is at a fixed distance from an end.
//! - A page goes on behind the place of the last circle looked at, whether or
//!   not that circle is still there; see [`Position`].
//! - The length of a history is the circle's version, by which a write finds
//!   out that it does not fit.

mod answer;
mod arguments;
mod as_of;
mod batch;
mod build;
mod change;
mod changes;
mod checkpoint;
mod circles;
mod config;
mod connection;
mod document;
mod error;
mod exceptions;
mod feed;
mod follower;
mod history;
#[cfg(test)]
mod input_properties;
mod inspect;
mod keys;
mod lanes;
mod lease;
mod list;
mod loader;
mod parked;
mod past;
mod position;
mod projection;
mod reader;
mod ring;
mod script;
mod scripts;
mod spare;
mod standing;
mod task;
mod watch;

pub use batch::{Batch, Change, Repair};
pub use change::{ChangeEntry, ChangePosition};
pub use changes::{ChangePage, Rewound};
pub use checkpoint::Checkpoint;
pub use config::Config;
pub use connection::Connection;
pub use document::Document;
pub use error::{Corruption, Error, SetupError};
pub use feed::{Feed, FeedOptions};
pub use follower::{Follower, Now};
pub use history::{Before, EventKind, HistoryEntry};
pub use inspect::{Cursor, Scanned, Sweep, Swept};
pub use keys::Layout;
pub use lease::Lease;
pub use list::{ListQuery, Order, Page, SCAN_LIMIT};
pub use parked::{Parked, ParkedEvent};
pub use past::{HistoryPage, HistoryQuery, Moment, Past};
pub use position::{InvalidPosition, Position};
pub use projection::{CHANGES_KEPT, Partition, Prepared, partitions};
pub use reader::{Found, Reader};
pub use spare::{SpareError, open_spare, switch};
pub use standing::{Outcome, Phase, RepairMode, Repaired, Standing};
pub use watch::{Told, Watch, WatchError};
