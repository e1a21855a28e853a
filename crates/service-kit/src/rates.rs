//! How many calls each client may make in a second.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};

/// After so many calls, clients that have not called for a while are forgotten.
const SWEEP: u32 = 10_000;

/// Who makes calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// Whom a token was made out to.
    Subject(String),
    /// Anybody at this address. Of version 6 it is the network, of which one site has all 2^64 addresses.
    Address(IpAddr),
}

impl Client {
    /// Whoever calls from there.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Ipv6Addr::from_bits(network).into()
            }
        })
    }
}

/// The rates of all clients; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Rates(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limiter: DefaultKeyedRateLimiter<Client>,
    calls: AtomicU32,
}

impl Rates {
    /// So many calls in each second. A client that was silent for a second may make that many at once.
    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self(Arc::new(Shared {
            limiter: RateLimiter::keyed(Quota::per_second(per_second)),
            calls: AtomicU32::new(0),
        }))
    }

    /// Counts a call.
    ///
    /// # Errors
    /// When that is one too many: how long to wait.
    pub(crate) fn take(&self, client: &Client) -> Result<(), Duration> {
        let Shared { limiter, calls } = &*self.0;
        if calls.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            limiter.retain_recent();
        }
        let refused = |until: governor::NotUntil<_>| until.wait_time_from(limiter.clock().now());
        limiter.check_key(client).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_rate() {
        let rates = Rates::new(NonZeroU32::new(2).unwrap());
        let (one, other) = (
            Client::Subject("one".to_owned()),
            Client::Subject("other".to_owned()),
        );
        assert_eq!(rates.take(&one), Ok(()));
        assert_eq!(rates.take(&one), Ok(()));
        let wait = rates.clone().take(&one).unwrap_err();
        assert!(wait <= Duration::from_millis(500), "{wait:?}");
        assert_eq!(rates.take(&other), Ok(()));
    }

    #[test]
    fn who_is_silent_is_forgotten() {
        let rates = Rates::new(NonZeroU32::new(1_000_000).unwrap());
        for address in 0..2 * SWEEP {
            let client = Client::at(IpAddr::from(address.to_be_bytes()));
            assert_eq!(rates.take(&client), Ok(()));
        }
        assert!(rates.0.limiter.len() <= SWEEP as usize);
    }

    #[test]
    fn an_address_of_version_6_stands_for_its_network() {
        let client = |address: &str| Client::at(address.parse().unwrap());
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_ne!(client("127.0.0.1"), client("127.0.0.2"));
        assert_eq!(client("127.0.0.1"), client("::ffff:127.0.0.1"));
    }
}
