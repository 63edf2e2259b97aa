//! Finds which of many literals occur in a text, ASCII case ignored, by looking at a quarter of its positions.
//!
//! Of each literal with at least 7 bytes, four neighbouring windows of 4 bytes are known. One of them lies at a multiple of 4
//! wherever the literal stands, so that it is enough to look at every fourth position: the 4 bytes there are hashed into
//! a bitmap that fits the first-level cache, and only where the bit is set is a table asked for literals to compare. Shorter
//! literals (down to 3 bytes) go by two windows of 3 bytes at every second position in the same way; still shorter ones, which hardly
//! any pack has, by an Aho-Corasick automaton. (The idea of hashed windows at a stride is that of Wu and Manber, "A fast
//! algorithm for multi-pattern searching", 1994, with their shift table replaced by a fixed stride.)
//!
//! Against aho-corasick's DFA this reads the text faster, hardly gets slower with the number of literals, and its tables
//! are a few dozen KiB instead of several MiB.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::{
    error::{PackError, Problem},
    literals,
};

/// Literals of at least this many bytes cost next to nothing to look for.
pub(super) const CHEAP: usize = 7;

/// Bits that make the letters of ASCII lower case. Other bytes may fall together too: the comparison tells them apart.
const FOLD: u32 = 0x2020_2020;

/// The first three bytes of a window.
const THREE: u32 = 0x00ff_ffff;

/// The literals of all rules, ready to be looked for.
#[derive(Debug)]
pub(super) struct Scanner {
    /// All literals in lower case, one after the other.
    bytes: Box<[u8]>,
    /// Where each literal begins in `bytes`; one more at the end.
    starts: Box<[u32]>,
    /// Literals of at least 7 bytes, by 4 windows of 4 bytes.
    long: Windows,
    /// Literals of 4 to 6 bytes by 2 windows of 3 bytes, and those of 3 bytes.
    short: Windows,
    /// Those of 3 bytes once more.
    odd: Windows,
    /// Shorter literals, with their ids.
    tiny: Option<(AhoCorasick, Box<[u32]>)>,
}

impl Scanner {
    /// Builds the scanner for distinct, non-empty literals in lower case. Their index is their id.
    ///
    /// # Errors
    /// Where the literals are too many for 32-bit tables.
    pub(super) fn new(literals: &[Vec<u8>]) -> Result<Self, PackError> {
        let mut bytes = Vec::new();
        let mut starts = vec![0];
        let (mut long, mut short, mut odd) = (Vec::new(), Vec::new(), Vec::new());
        let (mut tiny, mut tiny_ids) = (Vec::new(), Vec::new());
        for (id, literal) in literals.iter().enumerate() {
            let id = u32::try_from(id).map_err(|_| too_many())?;
            bytes.extend_from_slice(literal);
            starts.push(u32::try_from(bytes.len()).map_err(|_| too_many())?);
            match literal.len() {
                7.. => add_windows(&mut long, id, literal, 4, 4),
                4..=6 => add_windows(&mut short, id, literal, 3, 2),
                3 => {
                    add_windows(&mut short, id, literal, 3, 1);
                    add_windows(&mut odd, id, literal, 3, 1);
                }
                _ => {
                    tiny.push(literal.as_slice());
                    tiny_ids.push(id);
                }
            }
        }
        let tiny = if tiny.is_empty() {
            None
        } else {
            let automaton = AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::Standard)
                .kind(Some(AhoCorasickKind::DFA))
                .build(&tiny)
                .map_err(|_| too_many())?;
            Some((automaton, tiny_ids.into_boxed_slice()))
        };
        Ok(Self {
            bytes: bytes.into_boxed_slice(),
            starts: starts.into_boxed_slice(),
            long: Windows::new(&long),
            short: Windows::new(&short),
            odd: Windows::new(&odd),
            tiny,
        })
    }

    /// Tells every occurrence as (id of the literal, its start, its end), in no particular order.
    #[inline]
    pub(super) fn scan(&self, text: &[u8], mut hit: impl FnMut(usize, usize, usize)) {
        if !self.long.is_empty() {
            for (index, window) in text.as_chunks::<4>().0.iter().enumerate() {
                let window = u32::from_le_bytes(*window) | FOLD;
                if self.long.may_have(window) {
                    self.compare(&self.long, window, text, index * 4, &mut hit);
                }
            }
        }
        if !self.short.is_empty() || !self.odd.is_empty() {
            if self.odd.is_empty() {
                self.scan_pairs::<false>(text, &mut hit);
            } else {
                self.scan_pairs::<true>(text, &mut hit);
            }
        }
        if let Some((automaton, ids)) = &self.tiny {
            for found in automaton.find_overlapping_iter(text) {
                hit(
                    ids[found.pattern().as_usize()] as usize,
                    found.start(),
                    found.end(),
                );
            }
        }
    }

    /// Looks at every second position for literals of 3 to 6 bytes; with `ODD` also between, for those of 3.
    #[inline]
    fn scan_pairs<const ODD: bool>(&self, text: &[u8], hit: &mut impl FnMut(usize, usize, usize)) {
        let mut look = |window: u32, at: usize| {
            let window = window | FOLD;
            let (first, second) = (window & THREE, window >> 8);
            if self.short.may_have(first) {
                self.compare(&self.short, first, text, at, hit);
            }
            if ODD && self.odd.may_have(second) {
                self.compare(&self.odd, second, text, at + 1, hit);
            }
        };
        let mut last = 0;
        for (index, window) in text.windows(4).step_by(2).enumerate() {
            if let Some(window) = window.first_chunk() {
                look(u32::from_le_bytes(*window), index * 2);
                last = index * 2 + 2;
            }
        }
        // The last 2 or 3 bytes, filled up with one that no comparison takes for part of the text.
        if let Some(&[a, b, c]) = text.get(last..).and_then(<[u8]>::first_chunk) {
            look(u32::from_le_bytes([a, b, c, 0xff]), last);
        }
    }

    /// Compares the text with all literals that have `window` where the text has it at `at`.
    #[inline(never)]
    fn compare(
        &self,
        windows: &Windows,
        window: u32,
        text: &[u8],
        at: usize,
        hit: &mut impl FnMut(usize, usize, usize),
    ) {
        for entry in windows.of(window) {
            self.compare_one(entry, text, at, hit);
        }
    }

    #[inline]
    fn compare_one(
        &self,
        entry: &Entry,
        text: &[u8],
        at: usize,
        hit: &mut impl FnMut(usize, usize, usize),
    ) {
        let literal = entry.literal as usize;
        let wanted = &self.bytes[self.starts[literal] as usize..self.starts[literal + 1] as usize];
        let Some(start) = at.checked_sub(entry.offset as usize) else {
            return;
        };
        let end = start + wanted.len();
        if text
            .get(start..end)
            .is_some_and(|found| found.eq_ignore_ascii_case(wanted))
        {
            hit(literal, start, end);
        }
    }

    /// Memory in use beside the automaton for tiny literals, in bytes.
    #[cfg(test)]
    fn memory(&self) -> usize {
        self.bytes.len() + self.starts.len() * 4 + self.long.memory() + self.short.memory()
    }
}

fn too_many() -> PackError {
    PackError::one(Problem {
        line: 0,
        column: 0,
        rule: None,
        message: "the rules hold too many literals".to_owned(),
        help: None,
    })
}

/// A window of a literal.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The folded bytes.
    window: u32,
    /// Which literal.
    literal: u32,
    /// Where the window lies in it.
    offset: u32,
}

/// Adds `count` neighbouring windows of `width` bytes of a literal: those where the least telling one tells the most.
fn add_windows(entries: &mut Vec<Entry>, id: u32, literal: &[u8], width: usize, count: usize) {
    let bits = literals::byte_bits(literal);
    let telling = |from: usize| -> f64 { bits[from..from + width].iter().sum() };
    let from = (0..=literal.len() - (width + count - 1))
        .max_by(|a, b| {
            let least = |from: usize| (from..from + count).map(telling).fold(f64::MAX, f64::min);
            // Of equals the first, which `max_by` would pass over.
            least(*a).total_cmp(&least(*b)).then(b.cmp(a))
        })
        .unwrap_or(0);
    for offset in from..from + count {
        let mut window = [0; 4];
        window[..width].copy_from_slice(&literal[offset..offset + width]);
        let mask = if width == 4 { u32::MAX } else { THREE };
        entries.push(Entry {
            window: (u32::from_le_bytes(window) | FOLD) & mask,
            literal: id,
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
        });
    }
}

/// Windows to be looked up.
#[derive(Debug)]
struct Windows {
    /// One bit per hash value.
    bitmap: Box<[u64]>,
    /// Hash values are shifted right by this much to become an index of a bit...
    bit_shift: u32,
    /// ...and by this much to become an index of a list.
    list_shift: u32,
    /// Where each list begins in `entries`; one more at the end.
    lists: Box<[u32]>,
    entries: Box<[Entry]>,
}

impl Windows {
    fn new(entries: &[Entry]) -> Self {
        // 32 bits per window make one look in 32 vain at worst; beyond half a MiB the cache counts more.
        let bits = (entries.len() * 32)
            .next_power_of_two()
            .clamp(1 << 10, 1 << 22)
            .ilog2();
        let list_bits = entries
            .len()
            .next_power_of_two()
            .clamp(1 << 4, 1 << 20)
            .ilog2();
        let (bit_shift, list_shift) = (32 - bits, 32 - list_bits);
        let mut bitmap = vec![0_u64; (1_usize << bits) / 64];
        let mut sorted = entries.to_vec();
        sorted.sort_by_key(|entry| {
            (
                hash(entry.window) >> list_shift,
                entry.window,
                entry.literal,
            )
        });
        let mut lists = vec![0_u32; (1 << list_bits) + 1];
        for entry in &sorted {
            let hash = hash(entry.window);
            let bit = (hash >> bit_shift) as usize;
            bitmap[bit / 64] |= 1 << (bit % 64);
            lists[(hash >> list_shift) as usize + 1] += 1;
        }
        for index in 1..lists.len() {
            lists[index] += lists[index - 1];
        }
        Self {
            bitmap: bitmap.into_boxed_slice(),
            bit_shift,
            list_shift,
            lists: lists.into_boxed_slice(),
            entries: sorted.into_boxed_slice(),
        }
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether some literal may have this window; wrong now and then, but never wrong to say no.
    #[inline]
    fn may_have(&self, window: u32) -> bool {
        let bit = (hash(window) >> self.bit_shift) as usize;
        self.bitmap
            .get(bit / 64)
            .is_some_and(|word| word & (1 << (bit % 64)) != 0)
    }

    /// The windows of literals that are equal to this one.
    #[inline]
    fn of(&self, window: u32) -> impl Iterator<Item = &Entry> {
        let list = (hash(window) >> self.list_shift) as usize;
        self.entries[self.lists[list] as usize..self.lists[list + 1] as usize]
            .iter()
            .filter(move |entry| entry.window == window)
    }

    #[cfg(test)]
    fn memory(&self) -> usize {
        self.bitmap.len() * 8 + self.lists.len() * 4 + self.entries.len() * size_of::<Entry>()
    }
}

/// Multiplicative hashing: the upper bits depend on all bytes (Knuth, "The Art of Computer Programming" 3, 6.4).
#[inline]
fn hash(window: u32) -> u32 {
    window.wrapping_mul(0x9e37_79b1)
}

#[cfg(test)]
mod tests {
    use aho_corasick::AhoCorasick;
    use proptest::prelude::*;

    use super::Scanner;

    fn literal() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            "[a-c ]{1,12}".prop_map(String::into_bytes),
            "[a-z\\[\\]@`{}0-9]{1,9}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 1..10).prop_map(|bytes| bytes.to_ascii_lowercase()),
        ]
    }

    proptest! {
        #[test]
        fn finds_what_aho_corasick_finds(
            literals in prop::collection::hash_set(literal(), 0..40),
            noise in prop::collection::vec(prop_oneof!["[a-cA-C ]{0,12}".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..6)], 0..12),
            picks in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), 0..12_usize), 0..12),
        ) {
            let literals: Vec<Vec<u8>> = literals.into_iter().collect();
            let mut text = Vec::new();
            for index in 0..noise.len().max(picks.len()) {
                text.extend(noise.get(index).into_iter().flatten());
                if let Some((pick, upper, cut)) = picks.get(index).filter(|_| !literals.is_empty()) {
                    let literal = pick.get(&literals);
                    let literal = if *upper { literal.to_ascii_uppercase() } else { literal.clone() };
                    text.extend_from_slice(&literal[..literal.len().saturating_sub(cut.saturating_sub(8))]);
                }
            }
            let slow = AhoCorasick::builder().ascii_case_insensitive(true).build(&literals).unwrap();
            let mut wanted: Vec<_> = slow
                .find_overlapping_iter(&text)
                .map(|found| (found.pattern().as_usize(), found.start(), found.end()))
                .collect();
            let mut got = Vec::new();
            Scanner::new(&literals).unwrap().scan(&text, |literal, start, end| got.push((literal, start, end)));
            wanted.sort_unstable();
            got.sort_unstable();
            prop_assert_eq!(got, wanted);
        }
    }

    #[test]
    fn a_thousand_literals_take_little_memory() {
        let literals: Vec<Vec<u8>> = (0..2_000)
            .map(|n| format!("literal {n} of many").into_bytes())
            .collect();
        let memory = Scanner::new(&literals).unwrap().memory();
        assert!(memory < 512 * 1024, "{memory} bytes");
    }
}
