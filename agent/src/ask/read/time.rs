//! Which stretch of time a question speaks of.

use std::ops::Range;

use logline::time::{civil_from_days, days_from_civil, days_in_month};

use super::atoms::{Atom, Clock, DAY, Date, HOUR, MINUTE, Placed, SECOND, atoms};

/// What times in a question are read against.
pub(in crate::ask) struct Times<'a> {
    /// This moment, in nanoseconds since 1970.
    pub(in crate::ask) now: i64,
    /// The earliest and the latest time that is stored.
    pub(in crate::ask) stored: Option<(i64, i64)>,
    /// Seconds east of UTC of times without a zone.
    pub(in crate::ask) utc_offset_s: i32,
    /// Whether anything is stored from the first time on and before the second.
    pub(in crate::ask) any: &'a dyn Fn(i64, i64) -> bool,
}

/// A stretch of time that was asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::ask) struct Period {
    /// From here on, in nanoseconds since 1970.
    pub(in crate::ask) from: Option<i64>,
    /// Before this.
    pub(in crate::ask) to: Option<i64>,
    /// The parts of the question that speak of it.
    pub(in crate::ask) taken: Vec<Range<usize>>,
    /// What had to be assumed, for people.
    pub(in crate::ask) assumed: Option<String>,
}

/// How far around a time `around` reaches.
const AROUND: i64 = 5 * MINUTE;
/// A day that is not said is looked for among so many.
const MOST_DAYS: i64 = 400;
/// Where what is stored ends longer ago than this, `now` is its end: it is a saved log.
const SAVED_AFTER: i64 = DAY;

/// The stretch of time that `text` speaks of, if it does.
pub(in crate::ask) fn period(text: &str, times: &Times<'_>) -> Option<Period> {
    let placed = atoms(text);
    let reader = Reader {
        times,
        placed: &placed,
    };
    let mut period = reader.relative().or_else(|| reader.absolute())?;
    if period
        .from
        .zip(period.to)
        .is_some_and(|(from, to)| from >= to)
    {
        return None;
    }
    period.taken.sort_by_key(|range| range.start);
    Some(period)
}

struct Reader<'a> {
    times: &'a Times<'a>,
    placed: &'a [Placed],
}

/// A moment as far as it is said.
#[derive(Clone, Copy, Debug)]
struct Moment {
    date: Option<Day>,
    clock: Option<Clock>,
}

#[derive(Clone, Copy, Debug)]
enum Day {
    Said(Date),
    /// Days since 1970.
    Known(i64),
}

impl Reader<'_> {
    fn offset(&self) -> i64 {
        i64::from(self.times.utc_offset_s) * SECOND
    }

    /// This moment; for a saved log its end.
    fn now(&self) -> (i64, Option<String>) {
        match self.times.stored {
            Some((_, last)) if last < self.times.now.saturating_sub(SAVED_AFTER) => (
                last.saturating_add(1),
                Some("counted back from the last stored event".to_owned()),
            ),
            _ => (self.times.now, None),
        }
    }

    fn today(&self) -> i64 {
        self.now().0.saturating_add(self.offset()).div_euclid(DAY)
    }

    /// `last 15 minutes`, `2 hours ago`, `in the last day`, `last night`.
    fn relative(&self) -> Option<Period> {
        let (now, assumed) = self.now();
        for (at, placed) in self.placed.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|at| self.placed.get(at));
            let after = self.placed.get(at + 1);
            let is = |placed: Option<&Placed>, atom: Atom| {
                placed.is_some_and(|placed| placed.atom == atom)
            };
            let mut taken = vec![placed.at.clone()];
            match placed.atom {
                Atom::Length(length) | Atom::Unit(length) if is(before, Atom::Last) => {
                    taken.extend(before.map(|before| before.at.clone()));
                    return Some(Period {
                        from: Some(now.saturating_sub(length)),
                        to: Some(now.saturating_add(1)),
                        taken,
                        assumed,
                    });
                }
                Atom::Length(length) if is(after, Atom::Ago) => {
                    taken.extend(after.map(|after| after.at.clone()));
                    let then = now.saturating_sub(length);
                    let (from, to) = if is(before, Atom::Since) {
                        (then, now.saturating_add(1))
                    } else if is(before, Atom::Before) {
                        return Some(Period {
                            from: None,
                            to: Some(then),
                            taken,
                            assumed,
                        });
                    } else {
                        (
                            then.saturating_sub(length / 4),
                            then.saturating_add(length / 4),
                        )
                    };
                    return Some(Period {
                        from: Some(from),
                        to: Some(to),
                        taken,
                        assumed,
                    });
                }
                Atom::Night if is(before, Atom::Last) => {
                    taken.extend(before.map(|before| before.at.clone()));
                    let midnight = self
                        .today()
                        .saturating_mul(DAY)
                        .saturating_sub(self.offset());
                    return Some(Period {
                        from: Some(midnight - 6 * HOUR),
                        to: Some(midnight + 6 * HOUR),
                        taken,
                        assumed,
                    });
                }
                _ => {}
            }
        }
        None
    }

    fn absolute(&self) -> Option<Period> {
        let mut moments: Vec<(Moment, Option<Atom>)> = Vec::new();
        let mut taken = Vec::new();
        // The word before a moment that says how it bounds the period.
        let mut joint = None;
        // Whether the last moment may still be completed by what comes next.
        let mut open = false;
        let mut between = false;
        for placed in self.placed {
            let (date, clock) = match placed.atom {
                Atom::Date(date) => (Some(Day::Said(date)), None),
                Atom::DaysAgo(days) => (Some(Day::Known(self.today() - days)), None),
                Atom::Weekday(weekday) => (Some(Day::Known(self.last_weekday(weekday))), None),
                Atom::Clock(clock) => (None, Some(clock)),
                Atom::Morning => (None, Some(part_of_day(5, 7))),
                Atom::Afternoon => (None, Some(part_of_day(12, 6))),
                Atom::Evening => (None, Some(part_of_day(18, 6))),
                atom => {
                    match atom {
                        Atom::Between => (joint, between, open) = (None, true, false),
                        Atom::Since | Atom::Before | Atom::Around | Atom::And => {
                            (joint, open) = (Some(atom), false);
                        }
                        Atom::Filler => {}
                        _ => (joint, open) = (None, false),
                    }
                    continue;
                }
            };
            taken.push(placed.at.clone());
            if open
                && let Some((last, _)) = moments.last_mut()
                && ((last.date.is_none() && date.is_some())
                    || (last.clock.is_none() && clock.is_some()))
            {
                last.date = last.date.or(date);
                last.clock = last.clock.or(clock);
            } else {
                moments.push((Moment { date, clock }, joint.take()));
            }
            open = true;
        }
        let mut assumed = None;
        let period = self.bounds(&mut moments, between, &mut assumed)?;
        Some(Period {
            from: period.0,
            to: period.1,
            taken,
            assumed,
        })
    }

    fn bounds(
        &self,
        moments: &mut Vec<(Moment, Option<Atom>)>,
        between: bool,
        assumed: &mut Option<String>,
    ) -> Option<(Option<i64>, Option<i64>)> {
        // A date that stands alone beside clock times is theirs.
        if moments.len() > 1 && moments.iter().any(|(moment, _)| moment.clock.is_some()) {
            let alone = moments
                .iter()
                .position(|(moment, _)| moment.clock.is_none())
                .map(|at| moments.remove(at).0);
            if let Some(alone) = alone {
                for (moment, _) in moments.iter_mut() {
                    moment.date = moment.date.or(alone.date);
                }
            }
            // `2026-01-01 10:00 and 10:05`, `10:00 and 10:05 on the 1st`.
            let said = moments.iter().find_map(|(moment, _)| moment.date);
            for (moment, _) in moments.iter_mut() {
                moment.date = moment.date.or(said);
            }
        }
        // `between 14:05 and 14:10 CEST`: both are.
        let zone = moments.iter().find_map(|(moment, _)| moment.clock?.zone);
        for (moment, _) in moments.iter_mut() {
            if let Some(clock) = &mut moment.clock {
                clock.zone = clock.zone.or(zone);
            }
        }
        let (first, joint) = *moments.first()?;
        let second = moments.get(1).copied();
        if let Some((second, joint)) = second
            && (between || joint == Some(Atom::And) || joint == Some(Atom::Before))
        {
            let (from, to) = self.stretch(first, Some(second), assumed)?;
            return Some((Some(from), Some(to)));
        }
        let (from, to) = self.stretch(first, None, assumed)?;
        Some(match joint {
            Some(Atom::Since) => (Some(from), None),
            Some(Atom::Before) => (None, Some(from)),
            Some(Atom::Around) if first.clock.is_some() => (
                Some(from.saturating_sub(AROUND)),
                Some(from.saturating_add(AROUND)),
            ),
            _ => (Some(from), Some(to)),
        })
    }

    /// From the beginning of `first` to the end of it or of `second`; what they leave open is filled in so that something is
    /// stored there.
    fn stretch(
        &self,
        first: Moment,
        second: Option<Moment>,
        assumed: &mut Option<String>,
    ) -> Option<(i64, i64)> {
        let at = |day: i64, second_day: i64| {
            let from = self.start(first, day);
            let to = match second {
                None => self.end(first, day),
                Some(moment) => match moment.clock {
                    // The moment itself still counts.
                    Some(clock) => self
                        .start(moment, second_day)
                        .saturating_add(clock.lasts.min(SECOND)),
                    None => self.end(moment, second_day),
                },
            };
            // From late in the evening to early in the morning.
            let to = if to <= from && second.is_some() {
                to.saturating_add(DAY)
            } else {
                to
            };
            (from, to)
        };
        let second_date = second.and_then(|second| second.date).or(first.date);
        let mut tried: Option<(i64, i64)> = None;
        for (day, exact) in self.days(first.date) {
            let other = match (second_date, first.date) {
                (Some(Day::Said(other)), Some(Day::Said(own))) if other != own => {
                    let year = other.year.unwrap_or(civil_from_days(day).0);
                    known_day(year, other)?
                }
                (Some(Day::Known(other)), _) => other,
                _ => day,
            };
            let (from, to) = at(day, other);
            if (self.times.any)(from, to) {
                if !exact {
                    let (year, month, day) = civil_from_days(day);
                    *assumed = Some(format!("read as {year:04}-{month:02}-{day:02}"));
                }
                return Some((from, to));
            }
            tried = tried.or(Some((from, to)));
        }
        tried
    }

    /// The days that a date may mean, the likeliest first, and whether nothing had to be assumed.
    fn days(&self, date: Option<Day>) -> Vec<(i64, bool)> {
        let stored = self.times.stored.map(|(first, last)| {
            let day = |time: i64| time.saturating_add(self.offset()).div_euclid(DAY);
            (day(first), day(last))
        });
        match date {
            Some(Day::Known(day)) => vec![(day, true)],
            Some(Day::Said(date)) => {
                let mut days: Vec<(i64, bool)> = Vec::new();
                days.extend(
                    date.year
                        .and_then(|year| known_day(year, date))
                        .map(|day| (day, true)),
                );
                let last = stored.map_or(self.today(), |(_, last)| last);
                let first = stored.map_or(last, |(first, _)| first);
                let (newest, oldest) = (civil_from_days(last).0, civil_from_days(first).0);
                let years = (oldest.max(newest - 50)..=newest).rev();
                days.extend(
                    years
                        .filter_map(|year| known_day(year, date))
                        .map(|day| (day, date.year.is_none())),
                );
                if days.is_empty() {
                    days.extend(
                        known_day(civil_from_days(self.today()).0, date).map(|day| (day, true)),
                    );
                }
                days
            }
            None => {
                let today = self.today();
                let (first, last) = stored.unwrap_or((today, today));
                let mut days = vec![(today, true)];
                let earlier = (last.saturating_sub(MOST_DAYS).max(first)..=last).rev();
                days.extend(earlier.filter(|day| *day != today).map(|day| (day, false)));
                days
            }
        }
    }

    fn start(&self, moment: Moment, day: i64) -> i64 {
        let of_day = moment.clock.map_or(0, |clock| clock.nanos);
        let zone = moment.clock.and_then(|clock| clock.zone);
        let offset = zone.map_or(self.offset(), |zone| i64::from(zone) * SECOND);
        day.saturating_mul(DAY)
            .saturating_add(of_day)
            .saturating_sub(offset)
    }

    fn end(&self, moment: Moment, day: i64) -> i64 {
        let lasts = moment.clock.map_or(DAY, |clock| clock.lasts);
        self.start(moment, day).saturating_add(lasts)
    }

    fn last_weekday(&self, weekday: i64) -> i64 {
        let today = self.today();
        // 1970-01-01 was a Thursday.
        let back = (today + 3 - weekday).rem_euclid(7);
        today - back
    }
}

fn part_of_day(hour: i64, hours: i64) -> Clock {
    Clock {
        nanos: hour * HOUR,
        lasts: hours * HOUR,
        zone: None,
    }
}

fn known_day(year: i64, date: Date) -> Option<i64> {
    let sound = date.day >= 1 && date.day <= days_in_month(year, date.month);
    sound.then(|| days_from_civil(year, date.month, date.day))
}
