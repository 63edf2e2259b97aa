//! Reading times: fixed positions, dispatched on the first bytes; nothing is searched for.

use super::{
    DAY_S, NANOS, TimeContext, Timestamp, civil_from_days, days_from_civil, days_in_month,
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

/// How much later than the reference a time may lie and still be believed: clocks differ, and zones are mistaken by up to a day.
const SLACK_NS: i64 = DAY_S * NANOS;

/// The pieces of a time as written.
#[derive(Clone, Copy, Default)]
struct Clock {
    hour: u32,
    minute: u32,
    second: u32,
    nanos: u32,
}

/// What is known of the date.
#[derive(Clone, Copy)]
enum Date {
    Full(u32, u32, u32),
    /// Month and day.
    Yearless(u32, u32),
    /// Only a time of day.
    None,
    /// A date's shape that cannot be told apart (`03/04/2026`).
    Unclear,
}

fn digit(b: &[u8], at: usize) -> Option<u32> {
    let d = b.get(at)?.wrapping_sub(b'0');
    (d < 10).then_some(u32::from(d))
}

fn two(b: &[u8], at: usize) -> Option<u32> {
    Some(digit(b, at)? * 10 + digit(b, at + 1)?)
}

fn four(b: &[u8], at: usize) -> Option<u32> {
    Some(two(b, at)? * 100 + two(b, at + 2)?)
}

fn is(b: &[u8], at: usize, want: u8) -> bool {
    b.get(at) == Some(&want)
}

fn month_name(b: &[u8], at: usize) -> Option<u32> {
    let name = b.get(at..at + 3)?;
    let key = [name[0] | 0x20, name[1] | 0x20, name[2] | 0x20];
    Some(match &key {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    })
}

fn is_weekday(b: &[u8]) -> bool {
    matches!(
        b.get(..3),
        Some(b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun")
    )
}

/// `hh:mm:ss`, `h:mm:ss`, `hh.mm.ss` or `hh:mm`, with a fraction after `.`, `,` or (`HH:MM:SS:mmm`) `:`.
fn clock(b: &[u8], start: usize) -> Option<(Clock, usize)> {
    let (hour, mut at) = match two(b, start) {
        Some(hour) => (hour, start + 2),
        // Old MySQL and AM/PM clocks pad the hour with a space or not at all.
        None if is(b, start, b' ') => (digit(b, start + 1)?, start + 2),
        None => (digit(b, start)?, start + 1),
    };
    let mark = *b.get(at)?;
    if mark != b':' && mark != b'.' {
        return None;
    }
    let minute = two(b, at + 1)?;
    at += 3;
    let mut out = Clock {
        hour,
        minute,
        ..Clock::default()
    };
    if !is(b, at, mark) {
        // `12.34` alone is a number, not a time of day.
        return (mark == b':').then_some((out, at));
    }
    out.second = two(b, at + 1)?;
    at += 3;
    if matches!(b.get(at), Some(b'.' | b',' | b':')) && digit(b, at + 1).is_some() {
        let mut place = 100_000_000;
        at += 1;
        let end = at + 18;
        while let (Some(d), true) = (digit(b, at), at < end) {
            out.nanos += d * place;
            place /= 10;
            at += 1;
        }
    }
    if digit(b, at).is_some() {
        return None;
    }
    Some((out, at))
}

/// Abbreviations that stand for one offset only in practice; seconds east of UTC.
fn zone_name(name: &[u8]) -> Option<i32> {
    Some(match name {
        b"UTC" | b"GMT" | b"UCT" | b"WET" => 0,
        b"CET" | b"BST" | b"MET" | b"WEST" => 3_600,
        b"CEST" | b"EET" | b"MEST" | b"SAST" => 7_200,
        b"EEST" | b"MSK" => 10_800,
        b"JST" | b"KST" => 32_400,
        b"AEST" => 36_000,
        b"EDT" => -14_400,
        b"EST" | b"CDT" => -18_000,
        b"CST" | b"MDT" => -21_600,
        b"MST" | b"PDT" => -25_200,
        b"PST" => -28_800,
        _ => return None,
    })
}

/// Zone at `at`: its offset if there is one, where it ends, and whether it is numeric.
fn zone(b: &[u8], at: usize) -> (Option<i32>, usize, bool) {
    let spaced = is(b, at, b' ');
    let from = at + usize::from(spaced);
    match b.get(from) {
        Some(b'Z' | b'z') if !spaced && !b.get(from + 1).is_some_and(u8::is_ascii_alphanumeric) => {
            (Some(0), from + 1, false)
        }
        Some(sign @ (b'+' | b'-')) => {
            let Some(hours) = two(b, from + 1) else {
                return (None, at, false);
            };
            let colon = usize::from(is(b, from + 3, b':'));
            let (minutes, end) = match two(b, from + 3 + colon) {
                Some(minutes) => (minutes, from + 5 + colon),
                None if !spaced && colon == 0 => (0, from + 3),
                None => return (None, at, false),
            };
            // `-1234567` is a number that follows, not a zone.
            if hours > 18 || minutes > 59 || digit(b, end).is_some() {
                return (None, at, false);
            }
            let seconds = (hours * 3_600 + minutes * 60) as i32;
            let signed = if *sign == b'-' { -seconds } else { seconds };
            (Some(signed), end, true)
        }
        Some(b'A'..=b'Y') => {
            let len = b[from..]
                .iter()
                .take(5)
                .take_while(|c| c.is_ascii_uppercase())
                .count();
            let ends = !b.get(from + len).is_some_and(u8::is_ascii_alphanumeric);
            match zone_name(&b[from..from + len]) {
                Some(offset) if ends => (Some(offset), from + len, false),
                _ => (None, at, false),
            }
        }
        _ => (None, at, false),
    }
}

fn resolve(
    date: Date,
    clock: Clock,
    zone: Option<i32>,
    context: &TimeContext,
) -> Option<Timestamp> {
    if clock.hour > 23 || clock.minute > 59 || clock.second > 60 {
        return None;
    }
    let offset = i64::from(zone.unwrap_or(context.utc_offset_s));
    let of_day = i64::from(clock.hour * 3_600 + clock.minute * 60 + clock.second) - offset;
    let at = |days: i64| {
        (days.checked_mul(DAY_S)?.checked_add(of_day)?)
            .checked_mul(NANOS)?
            .checked_add(i64::from(clock.nanos))
    };
    let limit = context.reference.map(|r| r.0.saturating_add(SLACK_NS));
    let nanos = match date {
        Date::Full(year, month, day) => {
            let year = i64::from(year);
            if !(1970..=2261).contains(&year) || !valid(year, month, day) {
                return None;
            }
            at(days_from_civil(year, month, day))?
        }
        Date::Yearless(month, day) => {
            let reference = context.reference?;
            let (this_year, _, _) = civil_from_days(reference.0.div_euclid(NANOS * DAY_S));
            // 29 February can lie up to eight years back (1896 to 1904).
            (0..=8).find_map(|back| {
                let year = this_year + 1 - back;
                let nanos = valid(year, month, day)
                    .then(|| at(days_from_civil(year, month, day)))
                    .flatten()?;
                (nanos <= limit?).then_some(nanos)
            })?
        }
        Date::None => {
            let reference = context.reference?.0;
            let day = reference.div_euclid(NANOS * DAY_S);
            // The zone may put the local day one off on either side.
            (0..=3).find_map(|back| {
                at(day + 1 - back).filter(|n| *n <= reference.saturating_add(NANOS * 3_600))
            })?
        }
        Date::Unclear => return None,
    };
    (nanos >= 0 && limit.is_none_or(|limit| nanos <= limit)).then_some(Timestamp(nanos))
}

fn valid(year: i64, month: u32, day: u32) -> bool {
    (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month)
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
