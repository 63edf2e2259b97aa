//! The pieces that times are made of: digits, names, clocks, zones, and the moment they come to.

use super::{
    DAY_S, NANOS, TimeContext, Timestamp, civil_from_days, days_from_civil, days_in_month,
};

/// How much later than the reference a time may lie and still be believed: clocks differ, and zones are mistaken by up to a day.
pub(super) const SLACK_NS: i64 = DAY_S * NANOS;

/// The pieces of a time as written.
#[derive(Clone, Copy, Default)]
pub(super) struct Clock {
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) second: u32,
    pub(super) nanos: u32,
}

/// What is known of the date.
#[derive(Clone, Copy)]
pub(super) enum Date {
    Full(u32, u32, u32),
    /// Month and day.
    Yearless(u32, u32),
    /// Only a time of day.
    None,
    /// A date's shape that cannot be told apart (`03/04/2026`).
    Unclear,
}

pub(super) fn digit(b: &[u8], at: usize) -> Option<u32> {
    let d = b.get(at)?.wrapping_sub(b'0');
    (d < 10).then_some(u32::from(d))
}

pub(super) fn two(b: &[u8], at: usize) -> Option<u32> {
    Some(digit(b, at)? * 10 + digit(b, at + 1)?)
}

pub(super) fn four(b: &[u8], at: usize) -> Option<u32> {
    Some(two(b, at)? * 100 + two(b, at + 2)?)
}

pub(super) fn is(b: &[u8], at: usize, want: u8) -> bool {
    b.get(at) == Some(&want)
}

pub(super) fn month_name(b: &[u8], at: usize) -> Option<u32> {
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

pub(super) fn is_weekday(b: &[u8]) -> bool {
    matches!(
        b.get(..3),
        Some(b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun")
    )
}

/// `hh:mm:ss`, `h:mm:ss`, `hh.mm.ss` or `hh:mm`, with a fraction after `.`, `,` or (`HH:MM:SS:mmm`) `:`.
pub(super) fn clock(b: &[u8], start: usize) -> Option<(Clock, usize)> {
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
pub(super) fn zone_name(name: &[u8]) -> Option<i32> {
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
pub(super) fn zone(b: &[u8], at: usize) -> (Option<i32>, usize, bool) {
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

pub(super) fn resolve(
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

pub(super) fn valid(year: i64, month: u32, day: u32) -> bool {
    (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month)
}
