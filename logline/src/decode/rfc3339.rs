//! The one form of time that wrappers carry.

use crate::time::{Timestamp, days_from_civil, days_in_month};

/// Reads a whole slice as RFC 3339 (`2026-11-20T17:01:07.123456789Z`, any fraction, any offset).
///
/// `None`: it is not one. `Some(None)`: it is, but no 64-bit count of nanoseconds reaches it (Docker's zero time is the year 1).
/// [`time::parse`](crate::time::parse()) reads this and every other form that programs print; a wrapper has only this one,
/// on every line, and a line of another form is malformed.
pub(super) fn parse(text: &[u8]) -> Option<Option<Timestamp>> {
    let (head, rest) = text.split_at_checked(19)?;
    if head[4] != b'-'
        || head[7] != b'-'
        || head[10] != b'T'
        || head[13] != b':'
        || head[16] != b':'
    {
        return None;
    }
    let year = i64::from(two(head, 0)? * 100 + two(head, 2)?);
    let (month, day) = (two(head, 5)?, two(head, 8)?);
    let (hour, minute, second) = (two(head, 11)?, two(head, 14)?, two(head, 17)?);
    let in_year = (1..=12).contains(&month) && day > 0 && day <= days_in_month(year, month);
    // 60 is a leap second.
    if !in_year || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanos, zone) = match rest.split_first()? {
        (b'.', fraction) => nanos(fraction)?,
        _ => (0, rest),
    };
    let of_day = i64::from(hour * 3_600 + minute * 60 + second);
    let seconds = days_from_civil(year, month, day) * 86_400 + of_day - offset_s(zone)?;
    let since = seconds
        .checked_mul(1_000_000_000)
        .and_then(|ns| ns.checked_add(i64::from(nanos)));
    Some(since.map(Timestamp))
}

/// The digits of a fraction as nanoseconds (what is finer is left out), and what follows them.
fn nanos(fraction: &[u8]) -> Option<(u32, &[u8])> {
    const UNITS: [u32; 9] = [
        0,
        100_000_000,
        10_000_000,
        1_000_000,
        100_000,
        10_000,
        1_000,
        100,
        10,
    ];
    let mut nanos = 0;
    let mut digits = 0;
    for byte in fraction {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        if digits < 9 {
            nanos = nanos * 10 + u32::from(digit);
        }
        digits += 1;
    }
    (digits > 0).then(|| {
        (
            nanos * UNITS.get(digits).copied().unwrap_or(1),
            &fraction[digits..],
        )
    })
}

/// Seconds east of UTC.
fn offset_s(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(&[*h1, *h2], 0)?, two(&[*m1, *m2], 0)?);
            let seconds = i64::from(hours * 3_600 + minutes * 60);
            (hours <= 23 && minutes <= 59).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn two(bytes: &[u8], at: usize) -> Option<u32> {
    let (tens, ones) = (
        bytes[at].wrapping_sub(b'0'),
        bytes[at + 1].wrapping_sub(b'0'),
    );
    (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
}
