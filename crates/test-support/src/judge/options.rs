//! Under which circumstances the read models are judged.

use std::collections::BTreeSet;

/// What is to be expected besides the log. By default: one partition with the plain keys, no
/// circle parked, no hole in the log.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(super) partitions: Option<u16>,
    pub(super) parked: BTreeSet<u64>,
    pub(super) caught_up: BTreeSet<String>,
    pub(super) holes: BTreeSet<u64>,
}

impl Options {
    /// So many partitions, each with its number in braces before its keys; also for 1.
    ///
    /// # Panics
    ///
    /// Where there are none.
    #[must_use]
    pub fn partitions(mut self, partitions: u16) -> Self {
        assert!(partitions > 0, "there is at least one partition");
        self.partitions = Some(partitions);
        self
    }

    /// The event of this sequence parks its circle: neither it nor what follows in that circle
    /// is looked into or expected.
    #[must_use]
    pub fn parked(mut self, sequence: u64) -> Self {
        self.parked.insert(sequence);
        self
    }

    /// This circle was parked, and a correction has caught up what its events would have said:
    /// they may be missing in the changes, the correction not.
    #[must_use]
    pub fn caught_up(mut self, circle_id: &str) -> Self {
        self.caught_up.insert(circle_id.to_owned());
        self
    }

    /// The sequences right after this one are missing in the log, which an operator let pass.
    #[must_use]
    pub fn hole_after(mut self, sequence: u64) -> Self {
        self.holes.insert(sequence);
        self
    }

    /// What the keys of each partition begin with.
    pub(super) fn prefixes(&self) -> Vec<String> {
        match self.partitions {
            None => vec![String::new()],
            Some(partitions) => (0..partitions).map(|n| format!("{{{n}}}:")).collect(),
        }
    }

    /// Where a circle belongs: FNV-1a of 64 bits over the text of its id.
    pub(super) fn partition_of(&self, circle_id: &str) -> usize {
        (fnv_1a(circle_id.as_bytes()) % u64::from(self.partitions.unwrap_or(1))) as usize
    }
}

fn fnv_1a(bytes: &[u8]) -> u64 {
    let mut hash = 14_695_981_039_346_656_037_u64;
    for byte in bytes {
        hash ^= u64::from(*byte);
        hash = hash.wrapping_mul(1_099_511_628_211);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::fnv_1a;

    #[test]
    fn the_hash_is_that_of_its_authors() {
        assert_eq!(fnv_1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv_1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
