//! Points in time as logs write them: reading the formats that programs print and writing RFC 3339.

mod epoch;
mod parse;
mod parts;

pub use epoch::epoch;
pub use parse::{Parsed, parse, parse_prefix};

/// Nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// What a line's own time leaves open and its surroundings know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeContext {
    /// A moment near (at or after) the line's, for times without a year: the clock, or a saved file's modification time.
    pub reference: Option<Timestamp>,
    /// Seconds east of UTC for times without a zone.
    pub utc_offset_s: i32,
}

const NANOS: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
#[must_use]
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let shifted = i64::from((month + 9) % 12);
    let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01 (`civil_from_days` of the same source).
#[must_use]
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// How many days a month has.
#[must_use]
pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

impl Timestamp {
    /// Appends the time as RFC 3339 in UTC (`2026-11-20T17:01:07.123Z`), with 0, 3, 6 or 9 digits of fraction:
    /// the fewest that lose nothing.
    pub fn write_rfc3339(self, out: &mut Vec<u8>) {
        let seconds = self.0.div_euclid(NANOS);
        let nanos = self.0.rem_euclid(NANOS) as u32;
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY_S));
        let of_day = seconds.rem_euclid(DAY_S) as u32;
        // An i64 of nanoseconds spans the years 1677 to 2262, so that four digits always do.
        let year = year as u32;
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        put2(&mut text, 0, year / 100);
        put2(&mut text, 2, year % 100);
        put2(&mut text, 5, month);
        put2(&mut text, 8, day);
        put2(&mut text, 11, of_day / 3_600);
        put2(&mut text, 14, of_day / 60 % 60);
        put2(&mut text, 17, of_day % 60);
        if nanos == 0 {
            text[19] = b'Z';
            out.extend_from_slice(&text[..20]);
            return;
        }
        let (milli, micro, nano) = (nanos / 1_000_000, nanos / 1_000 % 1_000, nanos % 1_000);
        for (at, value) in [(20, milli), (23, micro), (26, nano)] {
            text[at] = b'0' + (value / 100) as u8;
            put2(&mut text, at + 1, value % 100);
        }
        let end = if nano != 0 {
            29
        } else if micro != 0 {
            26
        } else {
            23
        };
        text[end] = b'Z';
        out.extend_from_slice(&text[..=end]);
    }
}

fn put2(text: &mut [u8; 30], at: usize, value: u32) {
    text[at] = b'0' + (value / 10) as u8;
    text[at + 1] = b'0' + (value % 10) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_days_are_inverse_and_anchored() {
        assert_eq!(days_from_civil(1970, 1, 1), 0);
        assert_eq!(days_from_civil(2000, 3, 1), 11_017);
        for days in (-110_000..110_000).step_by(17) {
            let (y, m, d) = civil_from_days(days);
            assert_eq!(days_from_civil(y, m, d), days);
            assert!(d >= 1 && d <= days_in_month(y, m));
        }
    }

    #[test]
    fn writes_the_fewest_digits_that_lose_nothing() {
        let show = |nanos: i64| {
            let mut out = Vec::new();
            Timestamp(nanos).write_rfc3339(&mut out);
            String::from_utf8(out).unwrap_or_default()
        };
        assert_eq!(show(0), "1970-01-01T00:00:00Z");
        assert_eq!(show(120_000_000), "1970-01-01T00:00:00.120Z");
        assert_eq!(show(-1_000), "1969-12-31T23:59:59.999999Z");
        assert_eq!(show(i64::MAX), "2262-04-11T23:47:16.854775807Z");
        assert_eq!(show(i64::MIN), "1677-09-21T00:12:43.145224192Z");
    }
}
