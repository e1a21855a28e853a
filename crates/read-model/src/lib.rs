//! The read models in Redis: key layout, encoding, atomic apply, reads.
