//! One pass over the text for all anchors at once.
//!
//! Of every anchor two windows of three bytes are known, one byte apart: at each of every second position of a text stands one of
//! them wherever the anchor is. So only those positions are looked at: three bytes, ASCII case folded, are hashed into a table of
//! flags, and where a flag is set, a second table tells which anchors to compare. (The idea of hashed windows is that of Wu and
//! Manber, "A fast algorithm for multi-pattern searching", 1994, with their shift table replaced by a fixed stride.)

use super::{
    Detectors,
    anchor::{ALNUM, ANCHORS, Anchor},
    token,
};

/// Bits of the hash.
const BITS: u32 = 16;
/// Hashes are flagged by the bits of so many words.
const WORDS: usize = 1 << (BITS - 6);
/// How many bytes are looked at between two branches.
const BLOCK: usize = 8;

/// Finds anchors.
#[derive(Debug)]
pub(super) struct Scanner {
    /// By hash, a bit each: whether any window has it.
    flags: Box<[u64; WORDS]>,
    /// By the hash's word of flags: where its windows begin in `windows`.
    starts: Box<[u16]>,
    windows: Box<[Window]>,
    words: Box<[Word]>,
}

/// Three bytes of an anchor.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// The bytes in lower case.
    bytes: [u8; 3],
    /// How many bytes of the anchor stand before them.
    before: u8,
    /// Which anchor.
    word: u16,
}

#[derive(Debug)]
struct Word {
    text: &'static [u8],
    /// Whether ASCII case does not count.
    fold: bool,
    anchor: Anchor,
}

/// The hash of the three lowest bytes of `window`.
#[inline(always)]
fn hash(window: u32) -> usize {
    // A letter's fifth bit is its case; other bytes may fall together too, the comparison tells them apart.
    let folded = (window | 0x2020_2020) << 8;
    (folded.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}

fn hash_of(bytes: [u8; 3]) -> usize {
    hash(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]))
}

impl Scanner {
    /// A scanner for what the detectors in `on` need.
    pub(super) fn new(on: Detectors) -> Self {
        let mut words: Vec<Word> = Vec::new();
        let mut windows: Vec<Window> = Vec::new();
        let mut add = |text: &'static [u8], followers: &[u8], rare: usize, fold, anchor| {
            let word = words.len() as u16;
            words.push(Word { text, fold, anchor });
            let lower = text.to_ascii_lowercase();
            let mut window = |bytes: &[u8], before| {
                if let Some(bytes) = bytes.first_chunk::<3>() {
                    windows.push(Window {
                        bytes: *bytes,
                        before,
                        word,
                    });
                }
            };
            let first = rare as u8;
            window(&lower[rare..], first);
            if lower.len() > 3 {
                window(&lower[rare + 1..], first + 1);
            } else {
                for follower in followers {
                    window(&[lower[1], lower[2], *follower], 1);
                }
            }
        };
        for it in ANCHORS {
            if it.detectors.iter().any(|detector| on.has(*detector)) {
                add(it.text.as_bytes(), it.followers, it.rare, true, it.anchor);
            }
        }
        for (index, kind) in token::KINDS.iter().enumerate() {
            if on.has(kind.detector) {
                add(
                    kind.prefix.as_bytes(),
                    ALNUM,
                    0,
                    false,
                    Anchor::Token(index),
                );
            }
        }
        // Where two begin at one place, the one that begins earlier comes first.
        windows.sort_by_key(|it| {
            let word = hash_of(it.bytes) >> 6;
            (word, std::cmp::Reverse(it.before), it.word)
        });
        let mut flags = Box::new([0; WORDS]);
        let mut starts = vec![0_u16; WORDS + 1];
        for it in &windows {
            let hash = hash_of(it.bytes);
            flags[hash >> 6] |= 1 << (hash & 63);
            starts[(hash >> 6) + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        Self {
            flags,
            starts: starts.into_boxed_slice(),
            windows: windows.into_boxed_slice(),
            words: words.into_boxed_slice(),
        }
    }

    /// The first anchor that begins at or behind `from`: what it is, its start and its end.
    #[inline]
    pub(super) fn next(&self, text: &[u8], from: usize) -> Option<(Anchor, usize, usize)> {
        // Of an anchor at an odd place the second window is found.
        let mut at = from.next_multiple_of(2);
        while let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk::<12>) {
            let low = u64::from_le_bytes([
                block[0], block[1], block[2], block[3], block[4], block[5], block[6], block[7],
            ]);
            let last = u32::from_le_bytes([block[6], block[7], block[8], block[9]]);
            let flags = self.flag(hash(low as u32))
                | self.flag(hash((low >> 16) as u32))
                | self.flag(hash((low >> 32) as u32))
                | self.flag(hash(last));
            if flags & 1 != 0 {
                for near in [0, 2, 4, 6] {
                    if let Some(hit) = self.look(text, at + near, from) {
                        return Some(hit);
                    }
                }
            }
            at += BLOCK;
        }
        while at + 3 <= text.len() {
            if let Some(hit) = self.look(text, at, from) {
                return Some(hit);
            }
            at += 2;
        }
        None
    }

    /// The flag of a hash in the lowest bit; the others mean nothing.
    #[inline(always)]
    fn flag(&self, hash: usize) -> u64 {
        self.flags[(hash >> 6) & (WORDS - 1)] >> (hash & 63)
    }

    /// The anchor one of whose windows stands at `at`.
    #[inline]
    fn look(&self, text: &[u8], at: usize, from: usize) -> Option<(Anchor, usize, usize)> {
        let window = text.get(at..)?.first_chunk::<3>()?;
        let hash = hash_of(*window);
        if self.flag(hash) & 1 == 0 {
            return None;
        }
        let windows = self.windows.get(
            usize::from(*self.starts.get(hash >> 6)?)
                ..usize::from(*self.starts.get((hash >> 6) + 1)?),
        )?;
        for it in windows {
            let Some(start) = at.checked_sub(usize::from(it.before)) else {
                continue;
            };
            if start < from || !it.bytes.eq_ignore_ascii_case(window) {
                continue;
            }
            let word = self.words.get(usize::from(it.word))?;
            let end = start + word.text.len();
            let Some(here) = text.get(start..end) else {
                continue;
            };
            if here == word.text || word.fold && here.eq_ignore_ascii_case(word.text) {
                return Some((word.anchor, start, end));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<(&'static str, &'static [u8])> {
        let tokens = token::KINDS.iter().map(|it| (it.prefix, ALNUM));
        ANCHORS
            .iter()
            .map(|it| (it.text, it.followers))
            .chain(tokens)
            .collect()
    }

    #[test]
    fn no_anchor_hides_another() {
        let all = all();
        for (index, (one, _)) in all.iter().enumerate() {
            for (other, _) in all.iter().skip(index + 1) {
                assert!(
                    !other.starts_with(one) && !one.starts_with(other),
                    "{one} {other}"
                );
            }
            assert!(one.len() >= 3);
        }
    }

    #[test]
    fn every_anchor_is_found_wherever_it_stands() {
        let scanner = Scanner::new(Detectors::ALL);
        for (word, followers) in all() {
            let followers = if word.len() == 3 { followers } else { b" " };
            for follower in followers {
                for before in 0..24 {
                    for behind in [0, 1, 2, 12, 20] {
                        let text = format!(
                            "{}{word}{}{}",
                            "#".repeat(before),
                            char::from(*follower),
                            "#".repeat(behind)
                        );
                        let (_, start, end) = scanner
                            .next(text.as_bytes(), 0)
                            .unwrap_or_else(|| panic!("{text}"));
                        assert_eq!(&text[start..end], word);
                        assert_eq!(
                            scanner.next(text.as_bytes(), start).map(|it| it.1),
                            Some(start)
                        );
                    }
                }
            }
        }
    }
}
