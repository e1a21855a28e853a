//! Circles kept in memory, so that a command on a warm circle reads nothing beforehand.

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use shared_domain::{Circle, CircleId};

use crate::load::StoredCircle;

/// What a circle takes besides its name: its entry, the cache's own record of it, and the name's
/// allocation.
const OVERHEAD: u64 = 192;

/// Circles as they were when an append last saw them under the head row. Only a hint to everybody
/// but an append, which knows which of them are certain.
#[derive(Debug)]
pub(crate) struct CircleCache {
    circles: Cache<CircleId, Cached, Bytes>,
}

#[derive(Clone, Debug)]
struct Cached {
    circle: StoredCircle,
    reign: Reign,
}

/// A stretch of the log in which nobody but us has appended. What was certain at any time in it is
/// certain to its end, as only our own appends change circles, and they keep the cache up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reign(u64);

impl Reign {
    /// Somebody else has appended, or may have.
    pub(crate) fn end(&mut self) {
        self.0 += 1;
    }
}

#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<CircleId, Cached> for Bytes {
    fn weight(&self, _: &CircleId, cached: &Cached) -> u64 {
        let name = match &cached.circle.circle {
            Circle::Active(circle) => circle.name.as_str().len() as u64,
            Circle::Absent | Circle::Deleted { .. } => 0,
        };
        OVERHEAD + name
    }
}

impl CircleCache {
    /// A cache that holds about so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let circles = usize::try_from(bytes / OVERHEAD).unwrap_or(usize::MAX);
        Self {
            circles: Cache::with_weighter(circles, bytes, Bytes),
        }
    }

    /// The circle as it was when an append last saw it.
    pub(crate) fn get(&self, id: CircleId) -> Option<StoredCircle> {
        self.circles.get(&id).map(|cached| cached.circle)
    }

    /// The circle as it is, for an append that holds the head row in this reign.
    pub(crate) fn certain(&self, id: CircleId, reign: Reign) -> Option<StoredCircle> {
        let cached = self.circles.get(&id)?;
        (cached.reign == reign).then_some(cached.circle)
    }

    /// Keeps a circle that is certain. Only an append may say so, after its commit.
    pub(crate) fn put(&self, id: CircleId, circle: StoredCircle, reign: Reign) {
        self.circles.insert(id, Cached { circle, reign });
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.circles.clear();
    }
}

#[cfg(test)]
mod tests {
    use shared_domain::{ActiveCircle, Capacity, CircleName, Sequence, Version};
    use uuid::Uuid;

    use super::*;

    fn id(n: u128) -> CircleId {
        CircleId::from_uuid(Uuid::from_u128(n))
    }

    fn circle() -> StoredCircle {
        StoredCircle {
            circle: Circle::Active(ActiveCircle {
                name: CircleName::new("0123456789").unwrap(),
                capacity: Capacity::MIN,
                version: Version::FIRST,
            }),
            sequence: Sequence::new(1),
        }
    }

    #[test]
    fn what_is_certain_stays_so_until_the_reign_ends() {
        let cache = CircleCache::new(1 << 20);
        let mut reign = Reign::default();
        for _ in 0..3 {
            cache.put(id(1), circle(), reign);
            assert_eq!(cache.certain(id(1), reign), Some(circle()));
            assert_eq!(cache.certain(id(2), reign), None);
            let ended = reign;
            reign.end();
            assert_eq!(cache.certain(id(1), reign), None);
            assert_eq!(cache.certain(id(1), ended), Some(circle()));
            // A hint it is at any time.
            assert_eq!(cache.get(id(1)), Some(circle()));
        }
    }

    #[test]
    fn the_cache_is_bounded_by_bytes() {
        let cache = CircleCache::new(100 * (OVERHEAD + 10));
        for n in 0..10_000 {
            cache.put(id(n), circle(), Reign::default());
        }
        assert!(cache.circles.len() <= 100, "{}", cache.circles.len());
        assert!(cache.circles.len() >= 50, "{}", cache.circles.len());
    }
}
