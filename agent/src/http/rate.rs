//! How many requests one address may send: a token bucket each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Addresses that are told apart; where there are more at a time, the further ones share one bucket.
const MAX_ADDRESSES: usize = 4_096;

/// One bucket per address: filled at `per_second`, up to twice as much.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: f64,
    buckets: Mutex<HashMap<Option<IpAddr>, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Rate {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second: per_second.into(),
            buckets: Mutex::default(),
        }
    }

    /// Whether a request of this address may be answered at `now`; it is counted.
    pub(super) fn allows(&self, address: IpAddr, now: Instant) -> bool {
        let full = 2.0 * self.per_second;
        let filled = |bucket: &Bucket| {
            let since = now.saturating_duration_since(bucket.at).as_secs_f64();
            (bucket.left + since * self.per_second).min(full)
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = Some(network(address));
        if buckets.len() >= MAX_ADDRESSES && !buckets.contains_key(&key) {
            // A full bucket says no more than none.
            buckets.retain(|_, bucket| filled(bucket) < full);
            if buckets.len() >= MAX_ADDRESSES {
                key = None;
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            left: full,
            at: now,
        });
        bucket.left = filled(bucket);
        bucket.at = now;
        if bucket.left < 1.0 {
            return false;
        }
        bucket.left -= 1.0;
        true
    }
}

/// One who has an IPv6 address mostly has the 2^64 beside it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let bits = v6.to_bits() >> 64 << 64;
            IpAddr::V6(bits.into())
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    #[test]
    fn an_address_gets_its_share_and_takes_nothing_from_others() {
        let rate = Rate::new(10);
        let start = Instant::now();
        let one = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let taken = (0..100).filter(|_| rate.allows(one, start)).count();
        assert_eq!(taken, 20, "twice the rate at once");
        assert!(rate.allows("::1".parse().unwrap(), start));
        let later = start + Duration::from_secs(1);
        let taken = (0..100).filter(|_| rate.allows(one, later)).count();
        assert_eq!(taken, 10, "then the rate");
    }

    #[test]
    fn addresses_beyond_the_bound_share_a_bucket() {
        let rate = Rate::new(1);
        let start = Instant::now();
        for n in 0..MAX_ADDRESSES as u32 {
            assert!(rate.allows(IpAddr::V4(n.into()), start));
        }
        let far = |n: u32| IpAddr::V4((0xff00_0000 + n).into());
        let taken = (0..10).filter(|n| rate.allows(far(*n), start)).count();
        assert_eq!(taken, 2);
        let later = start + Duration::from_secs(5);
        assert!(rate.allows(far(11), later), "those that are idle make room");
        let of_one_network: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(
            network(of_one_network),
            network("2001:db8::ffff:1".parse().unwrap())
        );
    }
}
