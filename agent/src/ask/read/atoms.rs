//! The parts of a question that may speak of time: dates, clock times, numbers with units, and the words that join them.

use std::ops::Range;

/// A calendar day as far as it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: Option<i64>,
    pub(super) month: u32,
    pub(super) day: u32,
}

/// A time of day, and how long the moment is that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Nanoseconds since midnight.
    pub(super) nanos: i64,
    /// Nanoseconds: an hour for `5pm`, a minute for `17:00`, a second for `17:00:00`.
    pub(super) lasts: i64,
    /// Seconds east of UTC, where it is said.
    pub(super) zone: Option<i32>,
}

/// What a part of a question says about time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Atom {
    Date(Date),
    Clock(Clock),
    /// `today` 0, `yesterday` 1, and so on back.
    DaysAgo(i64),
    /// 0 is Monday.
    Weekday(i64),
    /// A stretch of time, in nanoseconds.
    Length(i64),
    Month(u32),
    Number(i64),
    /// A unit without its number, in nanoseconds.
    Unit(i64),
    Since,
    Before,
    Between,
    And,
    Around,
    /// `last`, `past`, `previous`.
    Last,
    Ago,
    /// `on`, `at`, `in`, `the`, `of`: may stand between the others.
    Filler,
    /// Seconds east of UTC: `+02:00`, `UTC+2`, `CEST`.
    Zone(i32),
    /// `am` 0, `pm` 12.
    Half(i64),
    Morning,
    Afternoon,
    Evening,
    Night,
    Other,
}

/// An atom and where it stands in the question.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) atom: Atom,
    pub(super) at: Range<usize>,
}

pub(super) const SECOND: i64 = 1_000_000_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// The atoms of a question in their order.
pub(super) fn atoms(text: &str) -> Vec<Placed> {
    let mut found = Vec::new();
    for (start, chunk) in chunks(text) {
        let place = |from: usize, to: usize| start + from..start + to;
        if let Some((date, clock)) = date_and_clock(chunk) {
            found.push(Placed {
                atom: Atom::Date(date),
                at: place(0, chunk.len()),
            });
            found.push(Placed {
                atom: Atom::Clock(clock),
                at: place(0, chunk.len()),
            });
            continue;
        }
        if let Some((from, to)) = chunk.split_once(['-', '–'])
            && let (Some(from_clock), Some(to_clock)) = (clock(from), clock(to))
        {
            let cut = from.len();
            found.push(Placed {
                atom: Atom::Clock(from_clock),
                at: place(0, cut),
            });
            found.push(Placed {
                atom: Atom::And,
                at: place(cut, cut),
            });
            found.push(Placed {
                atom: Atom::Clock(to_clock),
                at: place(cut, chunk.len()),
            });
            continue;
        }
        found.push(Placed {
            atom: atom(chunk),
            at: place(0, chunk.len()),
        });
    }
    joined(found)
}

/// The text between blanks, without the punctuation around it, and where it begins.
pub(super) fn chunks(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let base = text.as_ptr() as usize;
    text.split_whitespace().filter_map(move |chunk| {
        let inner = chunk.trim_matches(|c: char| "?!,;.:()[]{}\"'`“”‘’".contains(c));
        (!inner.is_empty()).then(|| (inner.as_ptr() as usize - base, inner))
    })
}

fn atom(chunk: &str) -> Atom {
    let lower = chunk.to_ascii_lowercase();
    if let Some(date) = date(&lower) {
        return Atom::Date(date);
    }
    if let Some(clock) = clock(&lower) {
        return Atom::Clock(clock);
    }
    if let Some(month) = month(&lower) {
        return Atom::Month(month);
    }
    if let Some(unit) = unit(&lower) {
        return Atom::Unit(unit);
    }
    if let Some(zone) = zone(&lower) {
        return Atom::Zone(zone);
    }
    let digits = lower.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 && digits <= 9 {
        let (number, rest) = lower.split_at(digits);
        let number: i64 = number.parse().unwrap_or(0);
        if rest.is_empty() || ["st", "nd", "rd", "th"].contains(&rest) {
            return Atom::Number(number);
        }
        return match unit(rest) {
            Some(unit) => Atom::Length(number.saturating_mul(unit)),
            None => Atom::Other,
        };
    }
    match lower.as_str() {
        "since" | "after" | "from" => Atom::Since,
        "before" | "until" | "till" => Atom::Before,
        "between" => Atom::Between,
        "and" | "to" | "-" | "–" | "through" => Atom::And,
        "around" | "about" | "near" => Atom::Around,
        "last" | "past" | "previous" => Atom::Last,
        "ago" | "earlier" => Atom::Ago,
        "on" | "at" | "in" | "the" | "of" | "during" | "within" | "this" => Atom::Filler,
        "today" => Atom::DaysAgo(0),
        "yesterday" => Atom::DaysAgo(1),
        "noon" | "midday" => whole_hour(12),
        "midnight" => whole_hour(0),
        "am" => Atom::Half(0),
        "pm" => Atom::Half(12),
        "morning" => Atom::Morning,
        "afternoon" => Atom::Afternoon,
        "evening" => Atom::Evening,
        "night" | "tonight" | "overnight" => Atom::Night,
        "monday" => Atom::Weekday(0),
        "tuesday" => Atom::Weekday(1),
        "wednesday" => Atom::Weekday(2),
        "thursday" => Atom::Weekday(3),
        "friday" => Atom::Weekday(4),
        "saturday" => Atom::Weekday(5),
        "sunday" => Atom::Weekday(6),
        "a" | "an" | "one" => Atom::Number(1),
        "two" => Atom::Number(2),
        "three" => Atom::Number(3),
        "five" => Atom::Number(5),
        "ten" => Atom::Number(10),
        "fifteen" => Atom::Number(15),
        "thirty" => Atom::Number(30),
        _ => Atom::Other,
    }
}

fn whole_hour(hour: i64) -> Atom {
    Atom::Clock(Clock {
        nanos: hour * HOUR,
        lasts: MINUTE,
        zone: None,
    })
}

/// Joins what stands in several chunks: `Dec 4 2005`, `4 December`, `15 minutes`, `5 pm`.
fn joined(placed: Vec<Placed>) -> Vec<Placed> {
    let mut found: Vec<Placed> = Vec::with_capacity(placed.len());
    let mut rest = placed.into_iter().peekable();
    while let Some(mut one) = rest.next() {
        match one.atom {
            Atom::Month(month) => {
                let before = match found.last() {
                    Some(Placed {
                        atom: Atom::Number(day @ 1..=31),
                        ..
                    }) => Some(*day),
                    _ => None,
                };
                let after = match rest.peek() {
                    Some(Placed {
                        atom: Atom::Number(day @ 1..=31),
                        ..
                    }) => Some(*day),
                    _ => None,
                };
                let Some(day) = after.or(before) else {
                    one.atom = Atom::Other;
                    found.push(one);
                    continue;
                };
                if after.is_some() {
                    one.at.end = rest.next().map_or(one.at.end, |day| day.at.end);
                } else if let Some(day) = found.pop() {
                    one.at.start = day.at.start;
                }
                let mut year = None;
                if let Some(Placed {
                    atom: Atom::Number(said @ 1970..=2261),
                    at,
                }) = rest.peek()
                {
                    year = Some(*said);
                    one.at.end = at.end;
                    rest.next();
                }
                let day = u32::try_from(day).unwrap_or(1);
                one.atom = Atom::Date(Date { year, month, day });
                found.push(one);
            }
            Atom::Unit(unit) => {
                if let Some(Placed {
                    atom: Atom::Number(number),
                    at,
                }) = found.last()
                {
                    one.atom = Atom::Length(number.saturating_mul(unit));
                    one.at.start = at.start;
                    found.pop();
                }
                found.push(one);
            }
            Atom::Number(hour @ 1..=12) => {
                if let Some(Placed {
                    atom: Atom::Half(half),
                    at,
                }) = rest.peek()
                {
                    one.atom = Atom::Clock(Clock {
                        nanos: (hour % 12 + half) * HOUR,
                        lasts: HOUR,
                        zone: None,
                    });
                    one.at.end = at.end;
                    rest.next();
                }
                found.push(one);
            }
            Atom::Zone(east) => {
                if let Some(Placed {
                    atom: Atom::Clock(clock),
                    at,
                }) = found.last_mut()
                {
                    clock.zone = clock.zone.or(Some(east));
                    at.end = one.at.end;
                } else {
                    one.atom = Atom::Filler;
                    found.push(one);
                }
            }
            _ => found.push(one),
        }
    }
    found
}

/// Seconds east of UTC: `utc`, `+02:00`, `-0500`, `utc+2`, `gmt-3:30`, and the names that mean one offset to nearly everybody.
fn zone(word: &str) -> Option<i32> {
    /// Names and half hours; those with two meanings are left out, or have the one that logs have.
    const NAMES: [(&str, i32); 26] = [
        ("utc", 0),
        ("gmt", 0),
        ("wet", 0),
        ("west", 2),
        ("bst", 2),
        ("cet", 2),
        ("cest", 4),
        ("met", 2),
        ("mest", 4),
        ("eet", 4),
        ("eest", 6),
        ("msk", 6),
        ("ist", 11),
        ("sgt", 16),
        ("hkt", 16),
        ("awst", 16),
        ("jst", 18),
        ("kst", 18),
        ("aest", 20),
        ("aedt", 22),
        ("est", -10),
        ("edt", -8),
        ("cdt", -10),
        ("mdt", -12),
        ("pst", -16),
        ("pdt", -14),
    ];
    if let Some((_, halves)) = NAMES.iter().find(|(name, _)| *name == word) {
        return Some(halves * 1_800);
    }
    let offset = ["utc", "gmt"]
        .into_iter()
        .find_map(|name| word.strip_prefix(name))
        .unwrap_or(word);
    let (east, digits) = match offset.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-" | "−", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        // A bare `+2` says nothing by itself.
        None if offset.len() < word.len() => (digits, "0"),
        None => return None,
    };
    let number = |part: &str, most: i32| -> Option<i32> {
        let sound = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let value: i32 = sound.then(|| part.parse().ok())??;
        (value <= most).then_some(value)
    };
    Some(east * (number(hours, 14)? * 3_600 + number(minutes, 59)? * 60))
}

/// `2015-10-18T18:06:25Z`, `2015-10-18_18:06`.
fn date_and_clock(chunk: &str) -> Option<(Date, Clock)> {
    let (day, time) = chunk.split_once(['T', 't', '_'])?;
    let day = date(day).filter(|date| date.year.is_some())?;
    Some((day, clock(time)?))
}

/// `2005-08-12`, `2005/08/12`, `12/Aug/2005`, `08-12`, `12.08.2005`, `08/12/2005`.
fn date(chunk: &str) -> Option<Date> {
    let separator = ['-', '/', '.']
        .into_iter()
        .find(|separator| chunk.contains(*separator))?;
    let mut parts = chunk.split(separator);
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    let number = |part: &str, longest: usize| -> Option<u32> {
        let sound = !part.is_empty() && part.len() <= longest;
        (sound && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse().ok())?
    };
    let (year, month, day) = match c {
        Some(c) if a.len() == 4 => (
            Some(number(a, 4)?),
            number(b, 2).or_else(|| month(b))?,
            number(c, 2)?,
        ),
        Some(c) if c.len() == 4 => {
            let year = Some(number(c, 4)?);
            match (month(b), number(a, 2)?, number(b, 2)) {
                (Some(month), day, _) => (year, month, day),
                // Only one of them can be the month, or it is the way of the separator.
                (None, a, Some(b)) if separator == '.' || a > 12 => (year, b, a),
                (None, a, Some(b)) => (year, a, b),
                _ => return None,
            }
        }
        None if separator == '-' && a.len() == 2 && b.len() == 2 => {
            (None, number(a, 2)?, number(b, 2)?)
        }
        None if separator == '/' => (None, number(a, 2)?, number(b, 2)?),
        _ => return None,
    };
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && year.is_none_or(|year| (1970..=2261).contains(&year));
    in_range.then(|| Date {
        year: year.map(i64::from),
        month,
        day,
    })
}

/// `17:00`, `17:00:05.123`, `5pm`, `5:30pm`, `17:00Z`, `17:00+02:00`.
fn clock(chunk: &str) -> Option<Clock> {
    let lower = chunk.to_ascii_lowercase();
    let mut rest = lower.as_str();
    let mut zone = None;
    if let Some(cut) = rest.strip_suffix('z') {
        (rest, zone) = (cut, Some(0));
    } else if let Some(at) = rest.rfind(['+', '-']).filter(|at| *at >= 4) {
        let (time, offset) = rest.split_at(at);
        let digits: String = offset[1..].chars().filter(char::is_ascii_digit).collect();
        if digits.len() == 4 && offset.len() <= 6 {
            let value: i32 = digits.parse().ok()?;
            let seconds = (value / 100) * 3600 + (value % 100) * 60;
            zone = Some(if offset.starts_with('-') {
                -seconds
            } else {
                seconds
            });
            rest = time;
        }
    }
    let mut half = None;
    for (ending, value) in [("am", 0), ("pm", 12)] {
        if let Some(cut) = rest.strip_suffix(ending) {
            (rest, half) = (cut, Some(value));
        }
    }
    let mut parts = rest.split(':');
    let two = |part: &str| -> Option<i64> {
        let sound = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| part.parse().ok())?
    };
    let mut hour = two(parts.next()?)?;
    let (mut nanos, mut lasts) = (0, HOUR);
    match parts.next() {
        Some(minute) => {
            nanos += Some(two(minute)?).filter(|minute| *minute < 60)? * MINUTE;
            lasts = MINUTE;
        }
        None if half.is_none() => return None,
        None => {}
    }
    if let Some(second) = parts.next() {
        let (whole, fraction) = match second.split_once(['.', ',']) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (second, None),
        };
        nanos += Some(two(whole)?).filter(|second| *second < 61)? * SECOND;
        lasts = SECOND;
        if let Some(fraction) = fraction {
            let sound =
                (1..=9).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
            let value: i64 = sound.then(|| fraction.parse().ok())??;
            let unit = 10_i64.pow(9 - u32::try_from(fraction.len()).unwrap_or(9));
            nanos += value * unit;
            lasts = unit;
        }
    }
    if parts.next().is_some() || hour > 24 || (half.is_some() && !(1..=12).contains(&hour)) {
        return None;
    }
    if let Some(half) = half {
        hour = hour % 12 + half;
    }
    nanos += hour * HOUR;
    Some(Clock { nanos, lasts, zone })
}

fn month(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let place = MONTHS.iter().position(|month| {
        word == *month || (word.len() >= 3 && word.len() <= 4 && month.starts_with(word))
    })?;
    u32::try_from(place + 1).ok()
}

fn unit(word: &str) -> Option<i64> {
    Some(match word {
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "m" | "min" | "mins" | "minute" | "minutes" => MINUTE,
        "h" | "hr" | "hrs" | "hour" | "hours" => HOUR,
        "d" | "day" | "days" => DAY,
        "w" | "week" | "weeks" => 7 * DAY,
        "month" | "months" => 30 * DAY,
        _ => return None,
    })
}
