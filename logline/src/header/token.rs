//! The tokens that heads are made of, and the white space and colours between them.

use std::borrow::Cow;

use crate::level::Level;

const ESC: u8 = 0x1b;

/// Length of a terminal colour code (`ESC [ ... m`, or another CSI) at the start of `b`; 0 where there is none.
pub(super) fn colour(b: &[u8]) -> usize {
    if b.first() != Some(&ESC) || b.get(1) != Some(&b'[') {
        return 0;
    }
    let parameters = b[2..]
        .iter()
        .take(24)
        .take_while(|c| c.is_ascii_digit() || matches!(c, b';' | b'?' | b':'))
        .count();
    match b.get(2 + parameters) {
        Some(c) if c.is_ascii_alphabetic() => parameters + 3,
        _ => 0,
    }
}

/// Position of the first byte at or after `at` that is no space, tab, carriage return or colour code.
pub(super) fn skip(b: &[u8], mut at: usize) -> usize {
    loop {
        match b.get(at) {
            Some(b' ' | b'\t' | b'\r') => at += 1,
            Some(&ESC) => match colour(&b[at..]) {
                0 => return at,
                len => at += len,
            },
            _ => return at,
        }
    }
}

/// Position after any colour codes at `at`.
pub(super) fn skip_colours(b: &[u8], mut at: usize) -> usize {
    loop {
        match b.get(at) {
            Some(&ESC) => match colour(&b[at..]) {
                0 => return at,
                len => at += len,
            },
            _ => return at,
        }
    }
}

/// The text without what surrounds a line by accident: a byte order mark, leading colours, a trailing carriage return, newline or
/// colour reset. Leading spaces stay, except before an object or a time: they mark a continuation.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let mut b = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    while let Some((b'\r' | b'\n', rest)) = b.split_last() {
        b = rest;
    }
    if b.ends_with(b"m") {
        b = trim_reset(b);
    }
    match b.first() {
        Some(&(ESC | b'\r')) => b = &b[skip(b, 0)..],
        Some(b' ' | b'\t') => {
            let start = skip(b, 0);
            if start <= 8
                && matches!(b.get(start), Some(b'{' | b'0'..=b'9'))
                && is_head_start(&b[start..])
            {
                b = &b[start..];
            }
        }
        _ => {}
    }
    b
}

fn is_head_start(b: &[u8]) -> bool {
    b[0] == b'{' && b.get(1) == Some(&b'"') || b.get(4) == Some(&b'-') && b.get(7) == Some(&b'-')
}

fn trim_reset(mut b: &[u8]) -> &[u8] {
    while b.last() == Some(&b'm') {
        let tail = b.len().saturating_sub(12);
        let Some(start) = b[tail..].iter().rposition(|c| *c == ESC) else {
            break;
        };
        if colour(&b[tail + start..]) != b.len() - tail - start {
            break;
        }
        b = &b[..tail + start];
    }
    b
}

/// What follows a level word may not go on with it.
pub(super) fn is_word(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || c >= 0x80
}

/// How a level word is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Lower,
    Title,
}

/// A level word at the start of `b`: the level, its length, its case.
pub(super) fn level_word(b: &[u8]) -> Option<(Level, usize, Case)> {
    let len = b
        .iter()
        .take(14)
        .take_while(|c| c.is_ascii_alphabetic())
        .count();
    let (word, next) = (&b[..len], b.get(len));
    let digits = usize::from(len == 5 && next.is_some_and(|c| (b'1'..=b'8').contains(c)));
    if len < 3 || b.get(len + digits).is_some_and(|c| is_word(*c)) {
        return None;
    }
    let level = Level::from_name(&b[..len + digits])?;
    let case = if word[1].is_ascii_uppercase() {
        Case::Upper
    } else if word[0].is_ascii_uppercase() {
        Case::Title
    } else {
        Case::Lower
    };
    Some((level, len + digits, case))
}

/// A name that can be a logger's: a class, module, crate path, or file with line.
#[derive(Clone, Copy, Default)]
pub(super) struct Name {
    /// Its length; 0 where there is none.
    pub(super) len: usize,
    /// It has the shape of a qualified name: `a.b.C`, `a::b`, `file.go:12`, `Cat/Sub`.
    pub(super) qualified: bool,
    /// How many dots part it.
    pub(super) dots: u8,
}

const IN_NAME: u8 = 1;
const ALNUM: u8 = 2;
const PARTS: u8 = 4;

/// What a byte can be in a name.
const NAME: [u8; 256] = {
    let mut table = [0; 256];
    let mut c = 0;
    while c < 256 {
        table[c] = match c as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => IN_NAME | ALNUM,
            b'_' => IN_NAME | ALNUM,
            b'.' | b'/' | b'$' => IN_NAME | PARTS,
            b'-' | b'@' | b'*' | b'#' => IN_NAME,
            _ => 0,
        };
        c += 1;
    }
    table
};

fn class(b: &[u8], at: usize) -> u8 {
    b.get(at).map_or(0, |c| NAME[usize::from(*c)])
}

/// The name at the start of `b`, `::` and `:line` within it; at most 120 bytes are looked at.
pub(super) fn name(b: &[u8]) -> Name {
    let mut found = Name::default();
    let mut at = 0;
    while at < 120 {
        let kind = class(b, at);
        if kind & PARTS != 0 {
            found.qualified |= class(b, at + 1) & ALNUM != 0 && at > 0;
            found.dots += u8::from(b[at] == b'.');
        } else if kind == 0 {
            // `::` and `:12`
            if b.get(at) != Some(&b':') || at == 0 {
                break;
            }
            if b.get(at + 1) == Some(&b':') && class(b, at + 2) != 0 {
                at += 1;
            } else if !b.get(at + 1).is_some_and(u8::is_ascii_digit) {
                break;
            }
            found.qualified = true;
        }
        at += 1;
    }
    found.len = at;
    found.qualified &= b.first().is_some_and(u8::is_ascii_alphabetic);
    found
}

/// Whether a name can be a component's, and is not the first word of a sentence about an error.
pub(super) fn plausible_logger(name: &[u8]) -> bool {
    name.len() > 1
        && name.iter().any(u8::is_ascii_alphabetic)
        && !name[0].is_ascii_digit()
        && name[0] != b'-'
        && !name.ends_with(b"Error")
        && !name.ends_with(b"Exception")
        && !name.ends_with(b"Warning")
        && (name.len() > 13 || Level::from_name(name).is_none())
}

/// Position of `needle` in `hay`. For short texts looked at once: a searcher costs more to build than it saves.
pub(crate) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    memchr::memchr_iter(first, hay).find(|at| hay[*at..].starts_with(needle))
}

/// Length of the run of digits at the start of `b`, at most `max`; 0 where the run is longer.
pub(super) fn digits(b: &[u8], max: usize) -> usize {
    let len = b
        .iter()
        .take(max + 1)
        .take_while(|c| c.is_ascii_digit())
        .count();
    if len > max { 0 } else { len }
}

/// Length of the token at the start of `b` up to a space or tab, at most `max`; 0 where it is longer or empty.
pub(super) fn word(b: &[u8], max: usize) -> usize {
    let len = b
        .iter()
        .take(max + 1)
        .take_while(|c| !matches!(c, b' ' | b'\t' | b'\n' | b'\r'))
        .count();
    if len > max { 0 } else { len }
}

/// The rest of the text from `at`, as a message.
pub(super) fn rest(b: &[u8], at: usize) -> Cow<'_, [u8]> {
    Cow::Borrowed(b.get(at..).unwrap_or_default())
}

/// Position just after the bracket that closes the one at `open`, nesting counted, within `max` bytes and the first line.
pub(super) fn closing(b: &[u8], open: usize, max: usize) -> Option<usize> {
    let (left, right) = match b.get(open)? {
        b'[' => (b'[', b']'),
        b'(' => (b'(', b')'),
        b'<' => (b'<', b'>'),
        _ => return None,
    };
    // Most hold nothing of their kind.
    let inside = &b[open + 1..b.len().min(open + max)];
    if let Some(first) = memchr::memchr3(left, right, b'\n', inside)
        && inside[first] == right
    {
        return Some(open + first + 2);
    }
    let mut depth = 0_u32;
    for (index, c) in b[open..].iter().take(max).enumerate() {
        if *c == left {
            depth += 1;
        } else if *c == right {
            depth -= 1;
            if depth == 0 {
                return Some(open + index + 1);
            }
        } else if *c == b'\n' {
            return None;
        }
    }
    None
}
