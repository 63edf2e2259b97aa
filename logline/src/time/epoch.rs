//! Moments written as a count since 1970.

use super::{
    NANOS, TimeContext, Timestamp,
    parts::{SLACK_NS, digit, is},
};

/// A number of seconds, milli-, micro- or nanoseconds since 1970, told apart by size, with an optional fraction; nothing else may follow.
/// Only moments from 2001 on are believed: smaller numbers are counters.
#[must_use]
pub fn epoch(bytes: &[u8], context: &TimeContext) -> Option<Timestamp> {
    let mut whole: i64 = 0;
    let mut at = 0;
    while let Some(d) = digit(bytes, at) {
        whole = whole.checked_mul(10)?.checked_add(i64::from(d))?;
        at += 1;
    }
    let unit = match at {
        10 => NANOS,
        13 => 1_000_000,
        16 => 1_000,
        19 => 1,
        // JSON encoders write large floats with an exponent (`1.795193486123e9`).
        1 if is(bytes, 1, b'.') => return exponent(bytes, context),
        _ => return None,
    };
    let mut nanos = whole.checked_mul(unit)?;
    if is(bytes, at, b'.') {
        at += 1;
        let mut place = unit / 10;
        while let Some(d) = digit(bytes, at) {
            nanos = nanos.checked_add(i64::from(d) * place)?;
            place /= 10;
            at += 1;
        }
    }
    if at != bytes.len() {
        return None;
    }
    let limit = context
        .reference
        .map_or(i64::MAX, |r| r.0.saturating_add(SLACK_NS));
    (1_000_000_000 * NANOS..=limit)
        .contains(&nanos)
        .then_some(Timestamp(nanos))
}

/// `d.ddddde9` to `e18`: the digits with the point moved.
fn exponent(bytes: &[u8], context: &TimeContext) -> Option<Timestamp> {
    let mark = bytes
        .iter()
        .take(24)
        .position(|c| matches!(c, b'e' | b'E'))?;
    let mut power = bytes[mark + 1..]
        .strip_prefix(b"+")
        .unwrap_or(&bytes[mark + 1..])
        .iter();
    let mut value = 0_usize;
    for c in power.by_ref().take(3) {
        value = value * 10 + usize::from(c.is_ascii_digit().then(|| c - b'0')?);
    }
    if !is(bytes, 1, b'.') || !(9..=18).contains(&value) || power.next().is_some() {
        return None;
    }
    let mut digits = [b'0'; 40];
    let mut len = 0;
    for c in bytes[..mark].iter().filter(|c| **c != b'.') {
        digits[len] = *c;
        len += 1;
    }
    let whole = value + 1;
    let mut text = [b'0'; 42];
    text[..whole].copy_from_slice(&digits[..whole]);
    if len <= whole {
        return epoch(&text[..whole], context);
    }
    text[whole] = b'.';
    text[whole + 1..=len].copy_from_slice(&digits[whole..len]);
    epoch(&text[..=len], context)
}
