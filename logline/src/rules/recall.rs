//! What was decided for lines that differ from a new one only in their numbers.
//!
//! The *shape* of an event is everything that rules see of it, with each run of digits shortened to a single `0`. Rules that
//! are [`blind`](super::blind) to numbers say the same of all events of one shape. For each shape seen, this keeps the first
//! blind rule that holds and those rules before it that are not blind and may hold for some event of the shape; only these
//! few are asked again. The answer is the same as without it, which the tests hold against a slow model, and most lines of a
//! stream cost no more than the hashing of their shape.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_128;

use super::engine::RuleInput;
use super::residue::Question;

/// Shapes kept; beyond that all are forgotten, and those that still occur are back at once.
const MAX_SHAPES: usize = 32_768;
/// Events with more text are decided anew each time.
const MAX_TEXT: usize = 4_096;
/// After so many events it is seen how many had a known shape...
const TRIAL: u32 = 1_024;
/// ...and where fewer than one in so many had, as with lines full of names and hexadecimal ids, shapes are not taken...
const WORTH: u32 = 8;
/// ...for so many events.
const PAUSE: u32 = 16 * TRIAL;
/// A shape for which more rules have to be asked again is not worth keeping.
const MAX_ASKED: usize = 8;

/// The hash of an event's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ShapeId(u128);

/// What is known of a shape.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Rank of the first blind rule that holds.
    pub(super) winner: Option<u32>,
    /// The rules before it that have to be asked again, in the order of their ranks.
    pub(super) ask: Box<[(u32, Question)]>,
}

/// The shapes seen, for one set of rules.
#[derive(Debug, Default)]
pub(super) struct Recall {
    /// Which set of rules the shapes were decided by.
    rules: u64,
    shapes: HashMap<ShapeId, Known, BuildHasherDefault<Identity>>,
    /// Memory for a shape while it is hashed: the texts, one after the other.
    shape: Vec<u8>,
    /// Where the texts end in it.
    texts_end: usize,
    /// Events of this trial, and how many of them had a known shape.
    tried: u32,
    known: u32,
    /// Events for which no shape is to be taken.
    pause: u32,
}

impl Recall {
    /// Takes the shape of `input`, for the set of rules with this number. None for an event that is not worth it.
    pub(super) fn shape(
        &mut self,
        rules: u64,
        input: &RuleInput<'_>,
        inside: Option<(usize, usize)>,
    ) -> Option<ShapeId> {
        if input.line.len() + input.message.len() + input.logger.map_or(0, <[u8]>::len) > MAX_TEXT {
            return None;
        }
        if self.pause > 0 {
            self.pause -= 1;
            return None;
        }
        if self.rules != rules {
            self.rules = rules;
            self.shapes.clear();
        }
        self.shape.clear();
        let (from, to) = inside.unwrap_or_default();
        let (head, rest) = input.line.split_at(from);
        let (message, tail) = rest.split_at(to - from);
        // The lengths tell the parts apart, whatever bytes they hold.
        let mut ends = [0; 5];
        let own_message = if inside.is_none() { input.message } else { b"" };
        let parts = [
            head,
            message,
            tail,
            own_message,
            input.logger.unwrap_or_default(),
        ];
        for (part, end) in parts.into_iter().zip(&mut ends) {
            shorten(part, &mut self.shape);
            *end = u16::try_from(self.shape.len()).unwrap_or(u16::MAX);
        }
        self.texts_end = self.shape.len();
        for end in ends {
            self.shape.extend_from_slice(&end.to_le_bytes());
        }
        let level = input.level.map_or(u8::MAX, |level| level as u8);
        let told = u8::from(input.logger.is_some()) | (u8::from(inside.is_some()) << 1);
        self.shape
            .extend_from_slice(&[level, input.stream as u8, told]);
        Some(ShapeId(xxh3_128(&self.shape)))
    }

    /// The texts of the shape taken last: that of the line, then those of message and logger.
    pub(super) fn texts(&self) -> &[u8] {
        self.shape.get(..self.texts_end).unwrap_or_default()
    }

    /// What is known of a shape.
    pub(super) fn get(&mut self, id: ShapeId) -> Option<&Known> {
        let known = self.shapes.get(&id);
        self.tried += 1;
        self.known += u32::from(known.is_some());
        if self.tried >= TRIAL {
            if self.known < self.tried / WORTH {
                self.pause = PAUSE;
            }
            self.tried = 0;
            self.known = 0;
        }
        known
    }

    /// Keeps what was found out about a shape.
    pub(super) fn keep(&mut self, id: ShapeId, winner: Option<u32>, ask: &[(u32, Question)]) {
        if ask.len() > MAX_ASKED {
            return;
        }
        if self.shapes.len() >= MAX_SHAPES {
            self.shapes.clear();
        }
        self.shapes.insert(
            id,
            Known {
                winner,
                ask: ask.into(),
            },
        );
    }
}

/// Appends `text` with each run of digits as a single `0`.
pub(super) fn shorten(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + text.len(), 0);
    let Some(room) = out.get_mut(start..) else {
        return;
    };
    let mut length = 0;
    let mut in_run = false;
    let mut words = text.chunks_exact(8);
    for word in &mut words {
        let digits = digits_of(word);
        // Words without a digit stay as they are.
        if digits == 0 {
            if let Some(place) = room.get_mut(length..length + 8) {
                place.copy_from_slice(word);
            }
            length += 8;
            in_run = false;
            continue;
        }
        if digits == EACH_HIGH && in_run {
            continue;
        }
        length = shorten_bytes(word, room, length, &mut in_run);
    }
    length = shorten_bytes(words.remainder(), room, length, &mut in_run);
    out.truncate(start + length);
}

/// The highest bit of each byte.
const EACH_HIGH: u64 = 0x8080_8080_8080_8080;

/// The highest bit of each byte of eight that is a digit.
fn digits_of(word: &[u8]) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let Some(word) = word.first_chunk::<8>() else {
        return 0;
    };
    let word = u64::from_le_bytes(*word);
    // Without the highest bit of each byte nothing is carried into the next one: digits are 0x30 to 0x39.
    let low = word & !EACH_HIGH;
    let from_zero = low + EACH * (0x80 - 0x30);
    let behind_nine = low + EACH * (0x80 - 0x3A);
    from_zero & !behind_nine & !word & EACH_HIGH
}

/// [`shorten`] byte by byte, to `room` from `length` on; gives the new length.
#[inline]
fn shorten_bytes(text: &[u8], room: &mut [u8], mut length: usize, in_run: &mut bool) -> usize {
    for byte in text {
        let digit = byte.is_ascii_digit();
        // No branch: whether the byte stays is only added to the length.
        if let Some(place) = room.get_mut(length) {
            *place = if digit { b'0' } else { *byte };
        }
        length += usize::from(!(digit && *in_run));
        *in_run = digit;
    }
    length
}

/// The keys are hashes already.
#[derive(Debug, Default)]
pub(super) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[allow(clippy::cast_possible_truncation)] // The lower half is as good a hash as the whole.
    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(text: &[u8]) -> Vec<u8> {
        let mut out = b"x".to_vec();
        shorten(text, &mut out);
        out[1..].to_vec()
    }

    #[test]
    fn runs_of_digits_become_a_single_zero() {
        assert_eq!(short(b""), b"");
        assert_eq!(short(b"7"), b"0");
        assert_eq!(short(b"pid 4711, 10.0.0.12:80"), b"pid 0, 0.0.0.0:0");
        assert_eq!(short(b"12ab34"), b"0ab0");
        assert_eq!(short(b"none"), b"none");
        assert_eq!(short(b"/0123456789:"), b"/0:");
        assert_eq!(short(b"1234567890123456 and 12345678"), b"0 and 0");
        assert_eq!(short(b"\xb0\xb9\x30\xff\x39"), b"\xb0\xb90\xff0");
    }

    #[test]
    fn words_of_eight_are_shortened_as_single_bytes_are() {
        for byte in 0..=255_u8 {
            for place in 0..24 {
                let mut text = *b"ab 12 xy1234567890123 z9";
                text[place] = byte;
                let mut slow = Vec::new();
                for (at, byte) in text.iter().enumerate() {
                    let is_digit = byte.is_ascii_digit();
                    if !is_digit || at == 0 || !text[at - 1].is_ascii_digit() {
                        slow.push(if is_digit { b'0' } else { *byte });
                    }
                }
                assert_eq!(short(&text), slow, "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn shapes_are_not_taken_while_hardly_any_is_known() {
        let mut recall = Recall::default();
        let mut taken = 0;
        for n in 0..TRIAL + PAUSE {
            // Letters, not digits: no two of these lines are alike.
            let line: Vec<u8> = (0..32)
                .map(|bit| if n >> bit & 1 == 1 { b'a' } else { b'b' })
                .collect();
            let input = RuleInput::of_line(&line);
            if let Some(id) = recall.shape(1, &input, Some((0, line.len()))) {
                taken += 1;
                assert_eq!(recall.get(id), None);
                recall.keep(id, None, &[]);
            }
        }
        assert_eq!(taken, TRIAL);
        let input = RuleInput::of_line(b"again and again");
        let known = (0..10 * TRIAL).filter(|_| {
            let id = recall.shape(1, &input, Some((0, 15))).expect("a shape");
            let known = recall.get(id).is_some();
            recall.keep(id, None, &[]);
            known
        });
        assert_eq!(known.count() as u32, 10 * TRIAL - 1);
    }

    #[test]
    fn shapes_tell_parts_levels_and_loggers_apart() {
        let mut recall = Recall::default();
        let mut seen = std::collections::HashSet::new();
        let line = b"a1b22c";
        for (from, to) in [(0, 6), (1, 6), (1, 5), (2, 5), (3, 3)] {
            for level in [None, Some(crate::level::Level::Info)] {
                for logger in [None, Some(&b""[..]), Some(&b"b"[..])] {
                    let input = RuleInput {
                        line,
                        message: &line[from..to],
                        logger,
                        level,
                        ..RuleInput::default()
                    };
                    assert!(
                        seen.insert(recall.shape(1, &input, Some((from, to)))),
                        "{from} {to} {level:?} {logger:?}"
                    );
                }
            }
        }
        let one = RuleInput::of_line(b"took 3 ms");
        let other = RuleInput::of_line(b"took 1234 ms");
        assert_eq!(
            recall.shape(1, &one, Some((0, 9))),
            recall.shape(1, &other, Some((0, 12)))
        );
    }
}
