//! Finds which of many literals occur in a text, ASCII case ignored, by looking at a half or a quarter of its positions.
//!
//! Of each literal with at least 9 bytes, four neighbouring windows of 6 bytes are known. One of them lies at a multiple of 4
//! wherever the literal stands, so that it is enough to look at every fourth position: the bytes there are hashed into
//! a bitmap, and only where the bit is set is a table asked for literals to compare. Where there are shorter literals, as in
//! nearly every pack, every second position is looked at, for two windows of each literal; for literals of 3 and 4 bytes
//! every position; those of 1 and 2 bytes, which hardly any pack has, are searched for one by one. (The idea of hashed
//! windows is that of Wu and Manber, "A fast algorithm for multi-pattern searching", 1994, with their shift table replaced
//! by a fixed stride.) Which windows of a literal are taken depends on what is rare in logs: see [`Frequencies`].
//!
//! Against aho-corasick's DFA this reads the text faster, hardly gets slower with the number of literals, and its tables
//! are a few hundred KiB instead of many MiB.

use memchr::memmem;

use super::{
    error::{PackError, Problem},
    frequencies::Frequencies,
    literals,
};

/// Literals of at least this many bytes cost next to nothing to look for.
pub(super) const CHEAP: usize = 7;

/// Literals of at least this many bytes are found by windows.
pub(super) const SHORTEST: usize = 3;

/// Bits that make the letters of ASCII lower case. Other bytes may fall together too: the comparison tells them apart.
const FOLD: u64 = 0x2020_2020_2020_2020;

/// The literals of all rules, ready to be looked for.
#[derive(Debug)]
pub(super) struct Scanner {
    /// All literals in lower case, one after the other.
    bytes: Box<[u8]>,
    /// Where each literal begins in `bytes`; one more at the end.
    starts: Box<[u32]>,
    /// Literals of at least 9 bytes, by 4 windows of 6 bytes.
    long: Windows<6>,
    /// Literals of 7 and 8 bytes, by 4 windows of 4 bytes.
    middle: Windows<4>,
    /// Literals of at least 7 bytes by 2 windows of 6 bytes, where every second position is looked at anyway.
    wide: Windows<6>,
    /// Literals of 5 and 6 bytes, by 2 windows of 4 bytes.
    short: Windows<4>,
    /// Literals of 3 and 4 bytes, by 1 window of 3 bytes.
    three: Windows<3>,
    /// Literals of 1 and 2 bytes.
    tiny: Box<[Tiny]>,
}

/// A very short literal in one of its spellings.
#[derive(Debug)]
struct Tiny {
    finder: memmem::Finder<'static>,
    literal: usize,
}

impl Scanner {
    /// Builds the scanner for distinct, non-empty literals in lower case. Their index is their id.
    ///
    /// # Errors
    /// Where the literals are too many for 32-bit tables.
    pub(super) fn new(all: &[Vec<u8>], frequencies: &Frequencies) -> Result<Self, PackError> {
        let mut bytes = Vec::new();
        let mut starts = vec![0];
        let (mut long, mut middle, mut wide) = (Vec::new(), Vec::new(), Vec::new());
        let (mut short, mut three) = (Vec::new(), Vec::new());
        let mut tiny = Vec::new();
        // Short literals, which nearly every pack has, make the scanner look at every second position. Then two windows of
        // the others are enough, and these can be rarer than four.
        let pairs = all.iter().any(|literal| (3..7).contains(&literal.len()));
        for (index, literal) in all.iter().enumerate() {
            bytes.extend_from_slice(literal);
            starts.push(u32::try_from(bytes.len()).map_err(|_| too_many())?);
            let add = Adding {
                literal,
                bits: literals::byte_bits(literal),
                id: u32::try_from(index)
                    .ok()
                    .filter(|id| *id < MAX_LITERALS)
                    .ok_or_else(too_many)?,
                frequencies,
            };
            match literal.len() {
                7.. if pairs => add.to::<6>(&mut wide, 2),
                9.. => add.to::<6>(&mut long, 4),
                7 | 8 => add.to::<4>(&mut middle, 4),
                5 | 6 => add.to::<4>(&mut short, 2),
                3 | 4 => add.to::<3>(&mut three, 1),
                _ => tiny.extend(spellings(literal).into_iter().map(|spelling| Tiny {
                    finder: memmem::Finder::new(&spelling).into_owned(),
                    literal: index,
                })),
            }
        }
        Ok(Self {
            bytes: bytes.into_boxed_slice(),
            starts: starts.into_boxed_slice(),
            long: Windows::new(&long),
            middle: Windows::new(&middle),
            wide: Windows::new(&wide),
            short: Windows::new(&short),
            three: Windows::new(&three),
            tiny: tiny.into_boxed_slice(),
        })
    }

    /// Tells every occurrence as (id of the literal, its start, its end), in no particular order.
    #[inline]
    pub(super) fn scan(&self, text: &[u8], mut hit: impl FnMut(usize, usize, usize)) {
        let hit = &mut hit;
        if !self.long.is_empty() || !self.middle.is_empty() {
            let look = |window: u64, at: usize, hit: &mut _| {
                self.look(&self.long, window, text, at, hit);
                self.look(&self.middle, window, text, at, hit);
            };
            let mut next = 0;
            for (index, window) in text.windows(8).step_by(4).enumerate() {
                if let Some(window) = window.first_chunk() {
                    look(u64::from_le_bytes(*window) | FOLD, index * 4, hit);
                    next = index * 4 + 4;
                }
            }
            if let Some(window) = last_window(text, next) {
                look(window, next, hit);
            }
        }
        if !self.short.is_empty() || !self.three.is_empty() {
            self.scan_pairs(text, hit);
        }
        for tiny in &self.tiny {
            let finder = &tiny.finder;
            let mut from = 0;
            while let Some(found) = text.get(from..).and_then(|rest| finder.find(rest)) {
                let start = from + found;
                hit(tiny.literal, start, start + finder.needle().len());
                from = start + 1;
            }
        }
    }

    /// Looks at every second position for `wide` and `short`, and at every position for `three`.
    #[inline]
    fn scan_pairs(&self, text: &[u8], hit: &mut impl FnMut(usize, usize, usize)) {
        let look = |window: u64, at: usize, hit: &mut _| {
            self.look(&self.wide, window, text, at, hit);
            self.look(&self.short, window, text, at, hit);
            self.look(&self.three, window, text, at, hit);
            self.look(&self.three, window >> 8, text, at + 1, hit);
        };
        let mut next = 0;
        for (index, window) in text.windows(8).step_by(2).enumerate() {
            if let Some(window) = window.first_chunk() {
                look(u64::from_le_bytes(*window) | FOLD, index * 2, hit);
                next = index * 2 + 2;
            }
        }
        while let Some(window) = last_window(text, next) {
            look(window, next, hit);
            next += 2;
        }
    }

    /// Reports the literals that have `window`, narrowed down, where the text has it at `at`.
    #[inline(always)]
    fn look<const WIDTH: usize>(
        &self,
        windows: &Windows<WIDTH>,
        window: u64,
        text: &[u8],
        at: usize,
        hit: &mut impl FnMut(usize, usize, usize),
    ) {
        let window = window & Windows::<WIDTH>::MASK;
        if windows.may_have(window) {
            self.compare(windows, window, text, at, hit);
        }
    }

    #[inline(never)]
    fn compare<const WIDTH: usize>(
        &self,
        windows: &Windows<WIDTH>,
        window: u64,
        text: &[u8],
        at: usize,
        hit: &mut impl FnMut(usize, usize, usize),
    ) {
        for (literal, offset) in windows.of(window) {
            let ends = (self.starts.get(literal), self.starts.get(literal + 1));
            let (Some(&from), Some(&to)) = ends else {
                continue;
            };
            let wanted = &self.bytes[from as usize..to as usize];
            let Some(start) = at.checked_sub(offset) else {
                continue;
            };
            let end = start + wanted.len();
            if text
                .get(start..end)
                .is_some_and(|found| found.eq_ignore_ascii_case(wanted))
            {
                hit(literal, start, end);
            }
        }
    }

    /// Memory in use, in bytes.
    #[cfg(test)]
    fn memory(&self) -> usize {
        self.bytes.len()
            + self.long.memory()
            + self.middle.memory()
            + self.wide.memory()
            + self.short.memory()
            + self.three.memory()
    }
}

/// The bytes from `at` on where they are fewer than a whole window, filled up; none where none are left. A comparison never
/// takes the filling for part of the text.
#[inline]
fn last_window(text: &[u8], at: usize) -> Option<u64> {
    let rest = text.get(at..).filter(|rest| rest.len() >= 3)?;
    let mut window = [0xff; 8];
    for (to, from) in window.iter_mut().zip(rest) {
        *to = *from;
    }
    Some(u64::from_le_bytes(window) | FOLD)
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

/// All ways to write a literal of 1 or 2 bytes.
fn spellings(literal: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for byte in literal {
        let mut longer = Vec::new();
        for spelling in &all {
            longer.push([spelling.as_slice(), &[*byte]].concat());
            if byte.is_ascii_lowercase() {
                longer.push([spelling.as_slice(), &[byte.to_ascii_uppercase()]].concat());
            }
        }
        all = longer;
    }
    all
}

/// More literals than this have no room in an [`Entry`].
const MAX_LITERALS: u32 = 1 << 24;

/// A window of a literal. Small, since the tables compete for the cache with everything else.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Other bits of the window's hash than those that lead here.
    tag: u32,
    /// Which literal (24 bits), and where the window lies in it (8 bits).
    place: u32,
}

/// A window with its literal and its place in it, on its way into the tables.
#[derive(Clone, Copy, Debug)]
struct Window {
    bytes: u64,
    literal: u32,
    offset: usize,
}

/// A literal on its way into the tables.
struct Adding<'a> {
    literal: &'a [u8],
    /// The information in each of its bytes.
    bits: Vec<f64>,
    id: u32,
    frequencies: &'a Frequencies,
}

impl Adding<'_> {
    /// Of all places of `count` neighbouring windows the one where these are rarest together, and how frequent that is.
    fn best<const WIDTH: usize>(&self, count: usize) -> (usize, f64) {
        let each = self
            .frequencies
            .of_windows::<WIDTH>(self.literal, &self.bits);
        each.windows(count)
            .map(|windows| windows.iter().sum())
            .enumerate()
            .min_by(|a: &(usize, f64), b| a.1.total_cmp(&b.1))
            .unwrap_or((0, f64::MAX))
    }

    /// Adds the best `count` windows.
    fn to<const WIDTH: usize>(&self, windows: &mut Vec<Window>, count: usize) {
        let (from, _) = self.best::<WIDTH>(count);
        for offset in from..from + count {
            let mut window = [0; 8];
            window[..WIDTH].copy_from_slice(&self.literal[offset..offset + WIDTH]);
            windows.push(Window {
                bytes: (u64::from_le_bytes(window) | FOLD) & Windows::<WIDTH>::MASK,
                literal: self.id,
                offset,
            });
        }
    }
}

/// Windows of `WIDTH` bytes to be looked up.
#[derive(Debug)]
struct Windows<const WIDTH: usize> {
    /// One bit per hash value.
    bitmap: Box<[u64]>,
    /// These bits of a hash value are the index of a bit...
    bit_mask: usize,
    /// ...and these that of a list.
    list_mask: usize,
    /// Where each list begins in `entries`; one more at the end.
    lists: Box<[u32]>,
    entries: Box<[Entry]>,
}

impl<const WIDTH: usize> Windows<WIDTH> {
    const MASK: u64 = (1 << (8 * WIDTH)) - 1;

    fn new(windows: &[Window]) -> Self {
        // 16 bits per window make one look in 16 vain at worst; more bits would leave the first-level cache.
        let bits = (windows.len() * 16)
            .next_power_of_two()
            .clamp(1 << 10, 1 << HASH_BITS);
        let list_count = windows
            .len()
            .next_power_of_two()
            .clamp(1 << 4, 1 << HASH_BITS);
        let (bit_mask, list_mask) = (bits - 1, list_count - 1);
        let mut bitmap = vec![0_u64; bits / 64];
        let mut sorted = windows.to_vec();
        sorted.sort_by_key(|window| (hash(window.bytes) & list_mask, window.bytes, window.literal));
        let mut lists = vec![0_u32; list_count + 1];
        for window in &sorted {
            let hash = hash(window.bytes);
            bitmap[(hash & bit_mask) / 64] |= 1 << (hash % 64);
            lists[(hash & list_mask) + 1] += 1;
        }
        for index in 1..lists.len() {
            lists[index] += lists[index - 1];
        }
        Self {
            bitmap: bitmap.into_boxed_slice(),
            bit_mask,
            list_mask,
            lists: lists.into_boxed_slice(),
            entries: sorted
                .iter()
                .map(|window| Entry {
                    tag: tag(window.bytes),
                    // A literal has at most 256 bytes, so that a window begins at 255 at the latest.
                    place: (window.literal << 8) | u32::try_from(window.offset).unwrap_or(0) & 0xff,
                })
                .collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether some literal may have this window; wrong now and then, but never wrong to say no.
    #[inline]
    fn may_have(&self, window: u64) -> bool {
        let hash = hash(window);
        self.bitmap
            .get((hash & self.bit_mask) / 64)
            .is_some_and(|word| word & (1 << (hash % 64)) != 0)
    }

    /// The literals that have this window, and where in them; a wrong one at times, which the comparison tells apart.
    #[inline]
    fn of(&self, window: u64) -> impl Iterator<Item = (usize, usize)> {
        let list = hash(window) & self.list_mask;
        let tag = tag(window);
        self.entries[self.lists[list] as usize..self.lists[list + 1] as usize]
            .iter()
            .filter(move |entry| entry.tag == tag)
            .map(|entry| ((entry.place >> 8) as usize, (entry.place & 0xff) as usize))
    }

    #[cfg(test)]
    fn memory(&self) -> usize {
        self.bitmap.len() * 8 + self.lists.len() * 4 + self.entries.len() * size_of::<Entry>()
    }
}

/// How many bits of a hash value there are.
const HASH_BITS: u32 = 20;

/// Multiplicative hashing: the upper bits depend on all bytes (Knuth, "The Art of Computer Programming" 3, 6.4).
#[inline]
fn hash(window: u64) -> usize {
    (window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - HASH_BITS)) as usize
}

/// Bits of the same product that [`hash`] leaves out.
#[inline]
fn tag(window: u64) -> u32 {
    (window.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12) as u32
}

#[cfg(test)]
mod tests {
    use aho_corasick::AhoCorasick;
    use proptest::prelude::*;

    use super::{Frequencies, Scanner};

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
            Scanner::new(&literals, &Frequencies::default()).unwrap().scan(&text, |literal, start, end| got.push((literal, start, end)));
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
        let memory = Scanner::new(&literals, &Frequencies::default())
            .unwrap()
            .memory();
        assert!(memory < 512 * 1024, "{memory} bytes");
    }
}
