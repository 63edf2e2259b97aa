//! Numbers that look random and are the same for the same seed.

/// A generator of numbers (xorshift64*, Vigna 2016).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same numbers for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Seeds that differ little give numbers that differ much; and never 0, which the generator could not leave.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31) | 1)
    }

    /// Other numbers every time.
    #[must_use]
    pub fn from_chance() -> Self {
        use std::hash::BuildHasher as _;
        Self::new(std::collections::hash_map::RandomState::new().hash_one(0u8))
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number from 0 up to, not including, `bound`; 0 where that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The upper bits are the better ones; the bias of so small bounds is nothing.
        (self.number() >> 16).checked_rem(bound).unwrap_or(0)
    }

    /// One of these; none of nothing.
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let at = usize::try_from(self.below(all.len() as u64)).ok()?;
        all.get(at)
    }
}
