//! Times of day in the text, `17:01:07` or `17:01:07.123`, told by the event's time or as one number.

use super::wire::{unzigzag, zigzag};

const DAY_S: u64 = 86_400;
const DIGITS_2: u8 = 0xF6;
const DIGITS_7: u8 = 0xFB;
const DIGITS_LONG: u8 = 0xFC;

/// Which of a pattern's decimal numbers are a time of day: hours, minutes, seconds, and perhaps a fraction behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Which number the hours are.
    pub(super) field: usize,
    /// Digits of the fraction.
    digits: u8,
}

impl Clock {
    /// Looks whether `pattern` begins with a time of day whose hours are its number `field`.
    pub(super) fn at_start(pattern: &[u8], field: usize) -> Option<Self> {
        let rest = pattern.strip_prefix(&[DIGITS_2, b':', DIGITS_2, b':', DIGITS_2])?;
        let digits = match rest {
            [b'.' | b',', short @ DIGITS_2..=DIGITS_7, ..] => short - DIGITS_2 + 2,
            [b'.' | b',', DIGITS_LONG, long @ 8..=9, ..] => *long,
            _ => 0,
        };
        Some(Self { field, digits })
    }

    /// How many numbers it is.
    pub(super) fn fields(self) -> usize {
        if self.digits > 0 { 4 } else { 3 }
    }

    /// Units of the last digit in a second.
    fn per_second(self) -> u64 {
        10_u64.pow(u32::from(self.digits))
    }

    /// The time of day in units of its last digit; none where no clock shows it.
    pub(super) fn read(self, fields: &[u64]) -> Option<u64> {
        let [hours, minutes, seconds, ..] = *fields else {
            return None;
        };
        if hours > 23 || minutes > 59 || seconds > 59 {
            return None;
        }
        let fraction = fields.get(3).copied().unwrap_or_default();
        Some(((hours * 60 + minutes) * 60 + seconds) * self.per_second() + fraction)
    }

    /// The inverse of [`Clock::read`].
    pub(super) fn write(self, time: u64) -> [u64; 4] {
        let seconds = time / self.per_second();
        let hours = seconds / 3_600;
        [
            hours,
            seconds / 60 % 60,
            seconds % 60,
            time % self.per_second(),
        ]
    }

    /// The time of day of a moment, in nanoseconds since 1970, in the same units, in UTC.
    fn of(self, nanos: u64) -> u64 {
        let unit = 10_i64.pow(9 - u32::from(self.digits.min(9)));
        let day = (DAY_S * self.per_second()) as i64;
        (nanos as i64).div_euclid(unit).rem_euclid(day) as u64
    }

    /// How far the clock is from the event's time.
    pub(super) fn distance(self, time: u64, nanos: u64) -> u64 {
        let day = DAY_S * self.per_second();
        let ahead = (time + day - self.of(nanos)) % day;
        zigzag(if ahead > day / 2 {
            ahead as i64 - day as i64
        } else {
            ahead as i64
        })
    }

    /// The inverse of [`Clock::distance`].
    pub(super) fn at_distance(self, distance: u64, nanos: u64) -> u64 {
        let day = (DAY_S * self.per_second()) as i64;
        let ahead = unzigzag(distance).rem_euclid(day);
        ((self.of(nanos) as i64 + ahead) % day) as u64
    }
}

/// How the time of day in a store's texts is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Number by number, like others.
    Apart = 0,
    /// As its distance from the event's time.
    Distance = 1,
    /// As one number.
    Whole = 2,
}

impl Told {
    pub(super) fn of(byte: u8) -> Option<Self> {
        [Self::Apart, Self::Distance, Self::Whole]
            .into_iter()
            .find(|told| *told as u8 == byte)
    }
}
