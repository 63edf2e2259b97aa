//! A piece of text taken apart into a pattern, which recurs, and the numbers in it, which vary.
//!
//! A pattern is the text with its runs of digits, its hexadecimal names and its UUIDs replaced by marks that keep their width, so
//! that pattern and values give back the same bytes, leading zeros included. The marks are bytes that UTF-8 never holds; where a
//! hostile text holds them they are escaped. Every function is linear in the text.

use super::clock::Clock;
use super::wire::Damaged;

/// Ends a pattern in the table of patterns.
pub(super) const END: u8 = 0xC0;
/// The next byte, with its highest bit flipped, stands for itself.
const ESCAPE: u8 = 0xC1;
const FLIP: u8 = 0x80;
/// `SHORT + w`: w + 1 decimal digits, w at most 6.
const SHORT: u8 = 0xF5;
/// Followed by a count: so many decimal digits.
const LONG: u8 = 0xFC;
/// Followed by a count: so many lower-case hexadecimal digits.
const HEX: u8 = 0xFD;
/// A lower-case UUID with its hyphens.
const UUID: u8 = 0xFE;
/// Followed by a count: so many upper-case hexadecimal digits.
const UPPER_HEX: u8 = 0xFF;

/// Decimal digits that always fit a `u64`.
pub(super) const MAX_DIGITS: usize = 19;
/// A word of so many hexadecimal digits, letters and digits both, is a number and no word.
const MIN_HEX: usize = 6;
/// The longest; counts have to be smaller than any mark.
const MAX_HEX: usize = 160;
const UUID_LEN: usize = 36;

const DIGIT: u8 = 1;
const LOWER_AF: u8 = 2;
const UPPER_AF: u8 = 4;
const WORD: u8 = 8;
const SPECIAL: u8 = 16;
/// Bytes at which [`Parts::split`] has to look twice: digits and marks.
const STOP: u8 = DIGIT | SPECIAL;

const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut b = 0;
    while b < 256 {
        class[b] = match b as u8 {
            b'0'..=b'9' => DIGIT | WORD,
            b'a'..=b'f' => LOWER_AF | WORD,
            b'A'..=b'F' => UPPER_AF | WORD,
            b'g'..=b'z' | b'G'..=b'Z' => WORD,
            END | ESCAPE | SHORT..=0xFF => SPECIAL,
            _ => 0,
        };
        b += 1;
    }
    class
};

/// What `split` makes of a text.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    /// The pattern.
    pub(super) pattern: Vec<u8>,
    /// The decimal values in order.
    pub(super) numbers: Vec<u64>,
    /// The hexadecimal values in order, two digits a byte; an odd last digit has a byte for itself.
    pub(super) wide: Vec<u8>,
}

impl Parts {
    pub(super) fn clear(&mut self) {
        self.pattern.clear();
        self.numbers.clear();
        self.wide.clear();
    }

    /// Takes `text` apart, appending.
    pub(super) fn split(&mut self, text: &[u8]) {
        let mut copied = 0;
        let mut at = 0;
        while at < text.len() {
            // Many pieces are short: a plain loop is as fast as any search.
            let rest = &text[at..];
            at += rest
                .iter()
                .position(|b| CLASS[*b as usize] & STOP != 0)
                .unwrap_or(rest.len());
            let Some(byte) = text.get(at) else {
                break;
            };
            if !byte.is_ascii_digit() {
                self.copy(&text[copied..at]);
                self.pattern.extend_from_slice(&[ESCAPE, byte ^ FLIP]);
                at += 1;
                copied = at;
                continue;
            }
            // A hexadecimal name may have begun with letters. What was copied before is not looked at again.
            let mut start = at;
            while start > copied && CLASS[text[start - 1] as usize] & (LOWER_AF | UPPER_AF) != 0 {
                start -= 1;
            }
            let word_start = start == 0 || CLASS[text[start - 1] as usize] & WORD == 0;
            let prefixed = start >= 2 && &text[start - 2..start] == b"0x";
            if (word_start || prefixed)
                && let Some(len) = self.hex(&text[copied..], start - copied, prefixed)
            {
                at = start + len;
                copied = at;
                continue;
            }
            self.copy(&text[copied..at]);
            let mut value = 0_u64;
            let start = at;
            for b in text[at..].iter().take(MAX_DIGITS) {
                let digit = b.wrapping_sub(b'0');
                if digit > 9 {
                    break;
                }
                value = value * 10 + u64::from(digit);
                at += 1;
            }
            match at - start {
                short @ 1..=7 => self.pattern.push(SHORT + short as u8 - 1),
                long => self.pattern.extend_from_slice(&[LONG, long as u8]),
            }
            self.numbers.push(value);
            copied = at;
        }
        self.copy(&text[copied..]);
    }

    /// Appends text to the pattern. Between two numbers stands a byte or two, for which no copying in blocks is worth it.
    #[inline]
    fn copy(&mut self, text: &[u8]) {
        match text {
            [] => {}
            [one] => self.pattern.push(*one),
            [one, two] => self.pattern.extend_from_slice(&[*one, *two]),
            longer => self.pattern.extend_from_slice(longer),
        }
    }

    /// A hexadecimal name or UUID that begins at `at`, where a word begins or behind `0x`: pushes what is before it and the value,
    /// gives its length.
    fn hex(&mut self, text: &[u8], at: usize, prefixed: bool) -> Option<usize> {
        let rest = &text[at..];
        // Most are short numbers between what is no part of a word.
        if !prefixed && !is_long_hex(rest) {
            return None;
        }
        let mut seen = 0;
        let mut len = 0;
        let mut word = false;
        for b in rest.iter().take(MAX_HEX + 1) {
            let class = CLASS[*b as usize];
            if class & (DIGIT | LOWER_AF | UPPER_AF) == 0 {
                word = class & WORD != 0;
                break;
            }
            seen |= class;
            len += 1;
        }
        if word || len > MAX_HEX {
            return None;
        }
        if len == 8 && seen & UPPER_AF == 0 && is_uuid(rest) {
            self.pattern.extend_from_slice(&text[..at]);
            self.pattern.push(UUID);
            for digits in rest[..UUID_LEN].split(|b| *b == b'-') {
                pack_hex(digits, &mut self.wide);
            }
            return Some(UUID_LEN);
        }
        let letters = seen & (LOWER_AF | UPPER_AF);
        let sure = prefixed && len > 0 || len >= MIN_HEX && seen & DIGIT != 0 && letters != 0;
        if !sure || letters == LOWER_AF | UPPER_AF {
            return None;
        }
        self.pattern.extend_from_slice(&text[..at]);
        let mark = if letters == UPPER_AF { UPPER_HEX } else { HEX };
        self.pattern.extend_from_slice(&[mark, len as u8]);
        pack_hex(&rest[..len], &mut self.wide);
        Some(len)
    }
}

/// Whether at least so many hexadecimal digits stand here that they may be a name.
#[inline]
fn is_long_hex(text: &[u8]) -> bool {
    text.first_chunk::<MIN_HEX>().is_some_and(|chunk| {
        chunk
            .iter()
            .all(|b| CLASS[*b as usize] & (DIGIT | LOWER_AF | UPPER_AF) != 0)
    })
}

fn is_uuid(text: &[u8]) -> bool {
    let Some(text) = text.get(..UUID_LEN) else {
        return false;
    };
    text.iter().enumerate().all(|(at, b)| match at {
        8 | 13 | 18 | 23 => *b == b'-',
        _ => CLASS[*b as usize] & (DIGIT | LOWER_AF) != 0,
    })
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20).wrapping_sub(b'a').wrapping_add(10),
    }
}

fn pack_hex(digits: &[u8], out: &mut Vec<u8>) {
    for pair in digits.chunks(2) {
        out.push(match pair {
            [high, low] => nibble(*high) << 4 | nibble(*low),
            [last, ..] => nibble(*last),
            [] => 0,
        });
    }
}

/// One step of writing a pattern's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Bytes of the pattern's table, as they are.
    Copy { start: u32, len: u32 },
    /// One byte.
    Byte(u8),
    /// A decimal number of so many digits.
    Digits(u8),
    /// So many hexadecimal digits; upper case where told.
    Hex { digits: u8, upper: bool },
    /// A UUID.
    Uuid,
}

/// What a pattern asks for, found once per pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    /// The first time of day in it.
    pub(super) clock: Option<Clock>,
    /// Widths of its decimal numbers.
    pub(super) widths: Vec<u8>,
    /// Bytes of its hexadecimal values.
    pub(super) wide: usize,
    /// Bytes of the text that it writes.
    pub(super) len: usize,
}

/// Reads a pattern whose bytes stand at `base` of the table; its steps are appended to `ops`.
pub(super) fn read(pattern: &[u8], base: usize, ops: &mut Vec<Op>) -> Result<Needs, Damaged> {
    let mut needs = Needs::default();
    let damaged = |at: usize| Damaged {
        what: "a pattern is malformed",
        at: base + at,
    };
    let copy = |start: usize, end: usize, needs: &mut Needs, ops: &mut Vec<Op>| {
        if end > start {
            needs.len += end - start;
            ops.push(Op::Copy {
                start: (base + start) as u32,
                len: (end - start) as u32,
            });
        }
    };
    let (mut copied, mut at) = (0, 0);
    while at < pattern.len() {
        let byte = pattern[at];
        if CLASS[byte as usize] & SPECIAL == 0 {
            at += 1;
            continue;
        }
        copy(copied, at, &mut needs, ops);
        if let SHORT..LONG = byte {
            if needs.clock.is_none() {
                needs.clock = Clock::at_start(&pattern[at..], needs.widths.len());
            }
            needs.widths.push(byte - SHORT + 1);
            ops.push(Op::Digits(byte - SHORT + 1));
            needs.len += usize::from(byte - SHORT + 1);
            at += 1;
            copied = at;
            continue;
        }
        if byte == UUID {
            ops.push(Op::Uuid);
            needs.wide += 16;
            needs.len += UUID_LEN;
            at += 1;
            copied = at;
            continue;
        }
        let operand = *pattern.get(at + 1).ok_or(damaged(at))?;
        at += 2;
        match byte {
            ESCAPE => {
                ops.push(Op::Byte(operand ^ FLIP));
                needs.len += 1;
                copied = at;
                continue;
            }
            LONG if (1..=MAX_DIGITS).contains(&usize::from(operand)) => {
                needs.widths.push(operand);
                ops.push(Op::Digits(operand));
            }
            HEX | UPPER_HEX => {
                needs.wide += usize::from(operand).div_ceil(2);
                ops.push(Op::Hex {
                    digits: operand,
                    upper: byte == UPPER_HEX,
                });
            }
            _ => return Err(damaged(at)),
        }
        needs.len += usize::from(operand);
        copied = at;
    }
    copy(copied, pattern.len(), &mut needs, ops);
    Ok(needs)
}

/// Appends `value` with exactly `width` digits; higher ones are left out.
pub(super) fn put_digits(mut value: u64, width: u8, out: &mut Vec<u8>) {
    let mut text = [b'0'; MAX_DIGITS];
    let mut at = MAX_DIGITS;
    let width = usize::from(width).min(MAX_DIGITS);
    while at > MAX_DIGITS - width && value > 0 {
        at -= 1;
        text[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&text[MAX_DIGITS - width..]);
}

/// Appends so many hexadecimal digits.
pub(super) fn put_hex(bytes: &[u8], digits: u8, upper: bool, out: &mut Vec<u8>) {
    let table: &[u8; 16] = if upper {
        b"0123456789ABCDEF"
    } else {
        b"0123456789abcdef"
    };
    let whole = usize::from(digits) / 2;
    for byte in &bytes[..whole.min(bytes.len())] {
        out.push(table[usize::from(byte >> 4)]);
        out.push(table[usize::from(byte & 15)]);
    }
    if digits % 2 == 1 {
        out.push(table[usize::from(bytes.get(whole).copied().unwrap_or_default() & 15)]);
    }
}

/// Appends a UUID.
pub(super) fn put_uuid(bytes: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    for (number, digits) in [8_u8, 4, 4, 4, 12].into_iter().enumerate() {
        if number > 0 {
            out.push(b'-');
        }
        let len = usize::from(digits / 2);
        put_hex(
            bytes.get(at..at + len).unwrap_or_default(),
            digits,
            false,
            out,
        );
        at += len;
    }
}
