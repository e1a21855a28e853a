//! Circles kept in memory, so that a command on a warm circle reads nothing beforehand.

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use shared_domain::{Circle, CircleId};

use crate::load::StoredCircle;

/// What a circle takes besides its name: its entry, the cache's own record of it, and the name's
/// allocation.
const OVERHEAD: u64 = 192;

/// Circles as they were when we last saw them. Only a hint: an append uses one only if the log
/// confirms its version.
#[derive(Debug)]
pub(crate) struct CircleCache {
    circles: Cache<CircleId, StoredCircle, Bytes>,
}

#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<CircleId, StoredCircle> for Bytes {
    fn weight(&self, _: &CircleId, stored: &StoredCircle) -> u64 {
        let name = match &stored.circle {
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

    pub(crate) fn get(&self, id: CircleId) -> Option<StoredCircle> {
        self.circles.get(&id)
    }

    /// Keeps what was just seen in the log, or just written to it.
    pub(crate) fn put(&self, id: CircleId, circle: StoredCircle) {
        self.circles.insert(id, circle);
    }
}

#[cfg(test)]
mod tests {
    use shared_domain::{ActiveCircle, Capacity, CircleName, Sequence, Version};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_cache_is_bounded_by_bytes() {
        let cache = CircleCache::new(100 * (OVERHEAD + 10));
        for n in 0..10_000 {
            let circle = Circle::Active(ActiveCircle {
                name: CircleName::new("0123456789").unwrap(),
                capacity: Capacity::MIN,
                version: Version::FIRST,
            });
            let stored = StoredCircle {
                circle,
                sequence: Sequence::new(1),
            };
            cache.put(CircleId::from_uuid(Uuid::from_u128(n)), stored);
        }
        assert!(cache.circles.len() <= 100, "{}", cache.circles.len());
        assert!(cache.circles.len() >= 50, "{}", cache.circles.len());
    }
}
