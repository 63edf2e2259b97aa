//! Reading times: fixed positions, dispatched on the first bytes; nothing is searched for.

use super::{
    TimeContext, Timestamp, epoch,
    parts::{Clock, Date, clock, digit, four, is, is_weekday, month_name, resolve, two, zone},
};

/// A time found at the start of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The moment; none where the digits have a time's shape but name no moment (month 13), one that is absurd, one that lies
    /// more than a day after the context's reference, or one whose year or day cannot be known without that reference.
    pub at: Option<Timestamp>,
    /// Bytes that the time takes, its zone included.
    pub len: usize,
    /// The time names its zone as a numeric offset (`+01:00`, `+0000`), as syslog daemons write ISO times.
    pub offset: bool,
}

/// The time at the very start of `bytes`, if they start with one.
#[must_use]
pub fn parse_prefix(bytes: &[u8], context: &TimeContext) -> Option<Parsed> {
    match bytes.first()? {
        b'0'..=b'9' => numeric(bytes, context),
        b'A'..=b'Z' => named(bytes, context),
        _ => None,
    }
}

/// The moment that `bytes` name as a whole, spaces around it aside: a field's value.
#[must_use]
pub fn parse(bytes: &[u8], context: &TimeContext) -> Option<Timestamp> {
    let bytes = bytes.trim_ascii();
    if let Some(parsed) = parse_prefix(bytes, context)
        && parsed.len == bytes.len()
    {
        return parsed.at;
    }
    epoch(bytes, context)
}

fn finish(bytes: &[u8], date: Date, at: usize, context: &TimeContext) -> Option<Parsed> {
    let (mut clock, end) = clock(bytes, at)?;
    let mut end = end;
    if let Some([b' ' | 0xa0, half @ (b'A' | b'P'), b'M']) = bytes.get(end..end + 3)
        && !bytes.get(end + 3).is_some_and(u8::is_ascii_alphanumeric)
    {
        if clock.hour == 0 || clock.hour > 12 {
            return None;
        }
        clock.hour = clock.hour % 12 + if *half == b'P' { 12 } else { 0 };
        end += 3;
    }
    let (offset, len, numeric) = zone(bytes, end);
    // `17:01:07abc` is no time of day; what ends one is punctuation, a space or the end.
    if bytes.get(len).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    Some(Parsed {
        at: resolve(date, clock, offset, context),
        len,
        offset: numeric,
    })
}

fn numeric(b: &[u8], context: &TimeContext) -> Option<Parsed> {
    let separator = *b.get(4)?;
    if matches!(separator, b'-' | b'/' | b'.') && is(b, 7, separator) {
        let date = Date::Full(four(b, 0)?, two(b, 5)?, two(b, 8)?);
        return match b.get(10)? {
            b'T' | b't' | b' ' | b'_' | b'-' | b':' => finish(b, date, 11, context),
            _ => None,
        };
    }
    match b.get(2)? {
        b':' if is(b, 5, b':') => finish(b, Date::None, 0, context),
        b'/' if b.get(3)?.is_ascii_alphabetic() => {
            let date = Date::Full(four(b, 7)?, month_name(b, 3)?, two(b, 0)?);
            matches!(b.get(11)?, b':' | b' ').then(|| finish(b, date, 12, context))?
        }
        b'-' if b.get(3)?.is_ascii_alphabetic() => {
            let date = Date::Full(four(b, 7)?, month_name(b, 3)?, two(b, 0)?);
            matches!(b.get(11)?, b':' | b' ').then(|| finish(b, date, 12, context))?
        }
        b' ' if b.get(3)?.is_ascii_alphabetic() => day_first(b, two(b, 0)?, 3, context),
        mark @ (b'/' | b'-' | b'.') if is(b, 5, *mark) => {
            let (first, second) = (two(b, 0)?, two(b, 3)?);
            if let Some(year) = four(b, 6) {
                let date = if first > 12 || *mark == b'.' {
                    Date::Full(year, second, first)
                } else if second > 12 || first == second {
                    Date::Full(year, first, second)
                } else {
                    Date::Unclear
                };
                let gap = b.get(10..12)?;
                let start = if gap == b", " { 12 } else { 11 };
                matches!(gap[0], b' ' | b'T' | b',' | b'-')
                    .then(|| finish(b, date, start, context))?
            } else {
                // Spark and Hadoop's console: yy/MM/dd.
                let date = Date::Full(2000 + first, second, two(b, 6)?);
                is(b, 8, b' ').then(|| finish(b, date, 9, context))?
            }
        }
        b'-' | b'.' if is(b, 5, b' ') => {
            finish(b, Date::Yearless(two(b, 0)?, two(b, 3)?), 6, context)
        }
        b'/' if is(b, 5, b' ') => finish(b, Date::Yearless(two(b, 0)?, two(b, 3)?), 6, context),
        b'0'..=b'9' => compact(b, context),
        _ => match b.get(1)? {
            b' ' if b.get(2)?.is_ascii_alphabetic() => day_first(b, digit(b, 0)?, 2, context),
            _ => None,
        },
    }
}

/// `20 Nov 2026 16:42:35.289` and `20 Nov 16:42:35.289`; `at` is where the month starts.
fn day_first(b: &[u8], day: u32, at: usize, context: &TimeContext) -> Option<Parsed> {
    let month = month_name(b, at)?;
    if !is(b, at + 3, b' ') {
        return None;
    }
    match four(b, at + 4) {
        Some(year) if is(b, at + 8, b' ') => {
            finish(b, Date::Full(year, month, day), at + 9, context)
        }
        _ => finish(b, Date::Yearless(month, day), at + 4, context),
    }
}

/// Dates without separators, and seconds since 1970.
fn compact(b: &[u8], context: &TimeContext) -> Option<Parsed> {
    let digits = b.iter().take(20).take_while(|c| c.is_ascii_digit()).count();
    let next = b.get(digits).copied();
    match digits {
        6 if next == Some(b' ') => {
            let date = Date::Full(2000 + two(b, 0)?, two(b, 2)?, two(b, 4)?);
            if digit(b, 7).is_some()
                && b[7..]
                    .iter()
                    .take(7)
                    .take_while(|c| c.is_ascii_digit())
                    .count()
                    == 6
            {
                let clock = Clock {
                    hour: two(b, 7)?,
                    minute: two(b, 9)?,
                    second: two(b, 11)?,
                    nanos: 0,
                };
                if b.get(13).is_some_and(|c| *c != b' ') {
                    return None;
                }
                return Some(Parsed {
                    at: resolve(date, clock, None, context),
                    len: 13,
                    offset: false,
                });
            }
            finish(b, date, 7, context)
        }
        8 if matches!(next, Some(b'-' | b' ' | b'T' | b'_')) => {
            let date = Date::Full(four(b, 0)?, two(b, 4)?, two(b, 6)?);
            if is(b, 11, b':') {
                return finish(b, date, 9, context);
            }
            let run = b[9..]
                .iter()
                .take(7)
                .take_while(|c| c.is_ascii_digit())
                .count();
            if run != 6 || next != Some(b'T') {
                // HealthApp-like clocks do not pad: `20171223-22:15:29:606`, `20171224-0:7:20:444`.
                return loose_clock(b, date, context);
            }
            let clock = Clock {
                hour: two(b, 9)?,
                minute: two(b, 11)?,
                second: two(b, 13)?,
                nanos: 0,
            };
            let (offset, len, numeric) = zone(b, 15);
            Some(Parsed {
                at: resolve(date, clock, offset, context),
                len,
                offset: numeric,
            })
        }
        10 | 13 => {
            let fraction = if next == Some(b'.') {
                b[digits + 1..]
                    .iter()
                    .take(10)
                    .take_while(|c| c.is_ascii_digit())
                    .count()
            } else {
                0
            };
            let end = if fraction > 0 {
                digits + 1 + fraction
            } else {
                digits
            };
            // A bare number is too common to be a time: a colon or a fraction must mark it.
            let marked = fraction >= 3
                && matches!(b.get(end), None | Some(b' ' | b':' | b'\t' | b']'))
                || fraction == 0
                    && next == Some(b':')
                    && matches!(b.get(end + 1), None | Some(b' '));
            let at = epoch(&b[..end], context)?;
            marked.then_some(Parsed {
                at: Some(at),
                len: end,
                offset: false,
            })
        }
        _ => None,
    }
}

/// `hh:mm:ss:mmm` with unpadded numbers, after `yyyymmdd` and a separator.
fn loose_clock(b: &[u8], date: Date, context: &TimeContext) -> Option<Parsed> {
    let mut parts = [0_u32; 4];
    let mut at = 9;
    for (index, part) in parts.iter_mut().enumerate() {
        let run = b[at..]
            .iter()
            .take(4)
            .take_while(|c| c.is_ascii_digit())
            .count();
        if run == 0 || run > if index == 3 { 3 } else { 2 } {
            return None;
        }
        *part = (at..at + run).try_fold(0, |sum, i| Some(sum * 10 + digit(b, i)?))?;
        at += run;
        if index < 3 {
            if !is(b, at, b':') {
                return None;
            }
            at += 1;
        }
    }
    let clock = Clock {
        hour: parts[0],
        minute: parts[1],
        second: parts[2],
        nanos: parts[3] * 1_000_000,
    };
    Some(Parsed {
        at: resolve(date, clock, None, context),
        len: at,
        offset: false,
    })
}

/// Times that start with a weekday or a month: syslog, `ctime`, RFC 1123, `java.util.logging`.
fn named(b: &[u8], context: &TimeContext) -> Option<Parsed> {
    let start = if is_weekday(b) {
        match b.get(3..5)? {
            [b' ', _] => 4,
            [b',', b' '] => 5,
            _ => return None,
        }
    } else {
        0
    };
    if start > 0 && b.get(start)?.is_ascii_digit() {
        let wide = digit(b, start + 1).is_some();
        let day = if wide {
            two(b, start)?
        } else {
            digit(b, start)?
        };
        let month = start + 2 + usize::from(wide);
        return is(b, month - 1, b' ').then(|| day_first(b, day, month, context))?;
    }
    let month = month_name(b, start)?;
    let mut at = start + 3;
    if !is(b, at, b' ') {
        return None;
    }
    at += 1 + usize::from(is(b, at + 1, b' '));
    let wide = digit(b, at + 1).is_some();
    let day = if wide { two(b, at)? } else { digit(b, at)? };
    at += 1 + usize::from(wide);
    let comma = is(b, at, b',');
    at += usize::from(comma);
    if !is(b, at, b' ') {
        return None;
    }
    at += 1;
    // A year before the clock: Cisco (`Nov 20 2026 17:01:07`) and Java (`Nov 20, 2026 5:01:07 PM`).
    if let Some(year) = four(b, at) {
        return is(b, at + 4, b' ')
            .then(|| finish(b, Date::Full(year, month, day), at + 5, context))?;
    }
    let parsed = finish(b, Date::Yearless(month, day), at, context)?;
    // `ctime` puts the year last, and `date` the zone between.
    let (clock, clock_end) = clock(b, at)?;
    for (end, offset) in [(clock_end, None), (parsed.len, zone(b, clock_end).0)] {
        if is(b, end, b' ')
            && let Some(year) = four(b, end + 1)
            && !b.get(end + 5).is_some_and(u8::is_ascii_alphanumeric)
            && (start > 0 || (1970..2100).contains(&year) && matches!(b.get(end + 5), Some(b':')))
        {
            let date = Date::Full(year, month, day);
            return Some(Parsed {
                at: resolve(date, clock, offset, context),
                len: end + 5,
                offset: false,
            });
        }
    }
    Some(parsed)
}
