//! How long to wait before the next attempt: exponential with full jitter, so that many agents whose receiver was away
//! do not come back together ("Exponential Backoff and Jitter", AWS Architecture Blog, 2015).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

/// The waits between the attempts of one who sends.
#[derive(Debug)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    failures: u32,
    random: u64,
}

impl Backoff {
    /// Waits that grow from `initial` to `max`.
    #[must_use]
    pub fn new(initial: Duration, max: Duration) -> Self {
        Self {
            initial,
            max,
            failures: 0,
            // Another number in every process and for every sender; never 0, which the generator could not leave.
            random: RandomState::new().hash_one(0u8) | 1,
        }
    }

    /// An attempt succeeded.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// An attempt failed: the wait until the next one. `slow` waits as long as is ever waited; `after` is the least that
    /// the other side asks for.
    pub fn next(&mut self, slow: bool, after: Option<Duration>) -> Duration {
        let bound = if slow {
            self.max
        } else {
            let factor = 1u32.checked_shl(self.failures).unwrap_or(u32::MAX);
            self.initial.saturating_mul(factor).min(self.max)
        };
        self.failures = self.failures.saturating_add(1);
        let jittered = bound.mul_f64(self.unit());
        // Waiting alone will not help: never less than half.
        let wait = if slow {
            bound / 2 + jittered / 2
        } else {
            jittered
        };
        match after {
            // The jitter comes on top, but no one waits much longer than asked to.
            Some(after) => after + wait.min(after / 10 + Duration::from_millis(100)),
            None => wait,
        }
    }

    /// A number from 0 up to 1 (xorshift64*, Vigna 2016).
    #[allow(clippy::cast_precision_loss)] // 53 bits fit exactly.
    fn unit(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let bits = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        bits as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff() -> Backoff {
        Backoff::new(Duration::from_millis(100), Duration::from_secs(10))
    }

    #[test]
    fn the_bound_doubles_up_to_the_maximum_and_every_part_of_it_is_used() {
        for failures in 0..100 {
            let bound = (0.1 * 2f64.powi(failures)).min(10.0);
            let waits: Vec<f64> = (0..200)
                .map(|_| {
                    let mut backoff = backoff();
                    for _ in 0..failures {
                        backoff.next(false, None);
                    }
                    backoff.next(false, None).as_secs_f64()
                })
                .collect();
            assert!(waits.iter().all(|wait| *wait <= bound), "{failures}");
            assert!(waits.iter().any(|wait| *wait < bound * 0.2), "{failures}");
            assert!(waits.iter().any(|wait| *wait > bound * 0.8), "{failures}");
        }
    }

    #[test]
    fn success_begins_anew() {
        let mut backoff = backoff();
        for _ in 0..50 {
            backoff.next(false, None);
        }
        backoff.reset();
        assert!(backoff.next(false, None) <= Duration::from_millis(100));
    }

    #[test]
    fn what_the_other_side_asks_for_is_kept_and_little_is_added() {
        let mut backoff = backoff();
        for _ in 0..50 {
            let wait = backoff.next(false, Some(Duration::from_secs(5)));
            assert!((5.0..=5.6).contains(&wait.as_secs_f64()), "{wait:?}");
        }
    }

    #[test]
    fn where_waiting_will_not_help_it_is_tried_rarely() {
        for _ in 0..100 {
            let wait = backoff().next(true, None);
            assert!((5.0..=10.0).contains(&wait.as_secs_f64()), "{wait:?}");
        }
    }
}
