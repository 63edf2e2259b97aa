//! Whether a block may hold a name, without unpacking it: a Bloom filter (B. Bloom, 1970) over the words with digits in its texts and
//! over such words beside each other, so that `10.0.7.9` is told from other addresses with the same numbers.

use xxhash_rust::xxh3::xxh3_64;

/// Bits for each word; with [`PROBES`] one block in 40 is opened in vain.
const BITS: usize = 8;
const PROBES: u32 = 4;
/// A word alone is put in from this length on: shorter ones are everywhere.
const LEAST: usize = 4;

/// See the module's text.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    words: Vec<u64>,
}

/// Collects what is to be in a filter.
#[derive(Debug, Default)]
pub(super) struct Collecting {
    hashes: Vec<u64>,
    kept: usize,
}

impl Collecting {
    /// Adds the words of a text.
    pub(super) fn add(&mut self, text: &[u8]) {
        keys(text, &mut |hash| self.hashes.push(hash));
        // Most recur: what is held stays near what is different.
        if self.hashes.len() > 2 * self.kept + (1 << 16) {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.kept = self.hashes.len();
    }

    /// The filter over all that was added.
    pub(super) fn finish(mut self) -> Filter {
        self.shrink();
        let mut filter = Filter {
            words: vec![0; (self.hashes.len() * BITS).div_ceil(64).max(1)],
        };
        for hash in self.hashes {
            for bit in filter.bits(hash) {
                filter.words[bit / 64] |= 1 << (bit % 64);
            }
        }
        filter
    }
}

impl Filter {
    /// Bytes that it takes.
    pub(super) fn len(&self) -> usize {
        self.words.len() * 8
    }

    /// Whether the block may hold `name`.
    pub(super) fn may_hold(&self, name: &[u8]) -> bool {
        let mut may = true;
        keys(name, &mut |hash| {
            may &= self
                .bits(hash)
                .all(|bit| self.words[bit / 64] & (1 << (bit % 64)) != 0);
        });
        may
    }

    fn bits(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let all = self.words.len() as u64 * 64;
        let (first, step) = (hash, (hash >> 32) | 1);
        (0..u64::from(PROBES))
            .map(move |probe| (first.wrapping_add(step.wrapping_mul(probe)) % all) as usize)
    }
}

/// The hashes of a text's words with digits, and of those with one byte between them.
fn keys(text: &[u8], each: &mut dyn FnMut(u64)) {
    let mut before: Option<(usize, usize, bool)> = None;
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        let start = at;
        let mut digits = false;
        while at < text.len() && text[at].is_ascii_alphanumeric() {
            digits |= text[at].is_ascii_digit();
            at += 1;
        }
        if digits && at - start >= LEAST {
            each(xxh3_64(&text[start..at]));
        }
        if let Some((from, end, had_digits)) = before
            && end + 1 == start
            && (digits || had_digits)
        {
            each(xxh3_64(&text[from..at]));
        }
        before = Some((start, at, digits));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn over(texts: &[&str]) -> Filter {
        let mut collecting = Collecting::default();
        for text in texts {
            collecting.add(text.as_bytes());
        }
        collecting.finish()
    }

    #[test]
    fn what_is_not_there_is_mostly_told_apart() {
        let lines: Vec<String> = (0..2_000)
            .map(|n| format!("from 10.0.{}.{} id=req{n:06}", n / 200, n % 200))
            .collect();
        let filter = over(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(filter.may_hold(b"10.0.3.77"));
        assert!(filter.may_hold(b"req000123"));
        let wrong = (5_000..6_000)
            .filter(|n| filter.may_hold(format!("req{n:06}").as_bytes()))
            .count();
        assert!(wrong < 100, "{wrong} of 1000");
        assert!(!filter.may_hold(b"192.168.77.250"));
    }

    proptest! {
        #[test]
        fn a_name_that_stands_in_a_text_is_never_missed(
            before in "[ -~]{0,20}", name in "[a-z0-9][a-z0-9._:/-]{0,20}[a-z0-9]", after in "[ -~]{0,20}"
        ) {
            let text = format!("{before} {name} {after}");
            prop_assert!(over(&[&text]).may_hold(name.as_bytes()));
        }
    }
}
