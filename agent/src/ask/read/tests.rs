//! What questions say about time and names, against cases that were written by hand and against anything at all.

use proptest::prelude::*;

use super::*;
use crate::ask::answer::shown;

const HOUR: i64 = 3_600_000_000_000;
/// 2026-03-14T12:00:00Z.
const NOW: i64 = 1_773_489_600_000_000_000;

fn read_at(text: &str, any: &dyn Fn(i64, i64) -> bool) -> Option<Period> {
    let times = Times {
        now: NOW,
        stored: Some((NOW - 108 * HOUR, NOW - 60_000_000_000)),
        utc_offset_s: 0,
        any,
    };
    period(text, &times)
}

#[test]
fn times_are_read_as_they_are_meant() {
    let cases = include_str!("../../../../tests/golden/ask/times.tsv");
    let mut wrong = Vec::new();
    for case in cases.lines().filter(|case| !case.starts_with('#')) {
        let fields: Vec<&str> = case.splitn(3, '\t').collect();
        let [from, to, question] = fields[..] else {
            panic!("{case}: three columns are expected");
        };
        let said = |time: Option<i64>| time.map_or_else(|| "-".to_owned(), shown);
        let read = read_at(question, &|_, _| true).unwrap_or_default();
        let (read_from, read_to) = (said(read.from), said(read.to));
        if (read_from.as_str(), read_to.as_str()) != (from, to) {
            wrong.push(format!("{question}: {read_from} to {read_to}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_day_that_is_not_said_is_one_on_which_something_is_stored() {
    let wanted = NOW - 72 * HOUR;
    let read = read_at("between 10:15 and 10:20", &|from, to| {
        from < wanted && wanted < to + 12 * HOUR && from > wanted - 12 * HOUR
    });
    let read = read.unwrap();
    assert_eq!(shown(read.from.unwrap()), "2026-03-11T10:15:00Z");
    assert!(read.assumed.is_some());
}

#[test]
fn a_saved_log_is_counted_back_from_its_end() {
    let end = NOW - 1_000 * HOUR;
    let times = Times {
        now: NOW,
        stored: Some((end - 10 * HOUR, end)),
        utc_offset_s: 0,
        any: &|_, _| true,
    };
    let read = period("errors in the last hour", &times).unwrap();
    assert_eq!(read.from, Some(end + 1 - HOUR));
    assert!(read.assumed.is_some());
}

#[test]
fn names_are_told_from_words() {
    let found = |text: &str| -> Vec<(String, bool)> {
        names(text, &[])
            .into_iter()
            .map(|name| (name.text, name.sure))
            .collect()
    };
    let one = |text: &str, sure: bool| vec![(text.to_owned(), sure)];
    assert_eq!(found("what did 10.0.7.9 do?"), one("10.0.7.9", true));
    assert_eq!(found("what happened to process 17?"), one("17", true));
    assert_eq!(found("who is user=alice7042?"), one("alice7042", true));
    assert_eq!(
        found("requests of web-1.example.org"),
        one("web-1.example.org", false)
    );
    assert_eq!(found("What about req-9f2c's end?"), one("req-9f2c", true));
    assert_eq!(found("how many retries after 3 errors?"), []);
    assert_eq!(found("which disk is full"), []);
}

proptest! {
    #[test]
    fn no_question_breaks_the_reader(text in "\\PC{0,80}") {
        let any = |_: i64, _: i64| false;
        if let Some(read) = read_at(&text, &any) {
            prop_assert!(read.from.zip(read.to).is_none_or(|(from, to)| from < to));
            for range in &read.taken {
                prop_assert!(text.get(range.clone()).is_some());
            }
            for name in names(&text, &read.taken) {
                prop_assert!(text.get(name.at.clone()).is_some());
            }
        }
        let _ = (wish(&text), level(&text), numbers(&text, &[]));
    }

    #[test]
    fn no_pile_of_times_breaks_the_reader(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "between", "and", "from", "to", "on", "at", "since", "before", "last", "ago", "yesterday", "monday", "10:15",
                "25:61", "5pm", "2026-03-12", "9999-99-99", "Feb", "30", "999999999", "hours", "99999999w", "2026-03-12T10:00Z", "-",
                "noon", "12/31/2261", "1/1/1970", "00:00:00.999999999", "night", "01-01",
            ]), 0..12)
    ) {
        for stored in [None, Some((i64::MIN, i64::MAX)), Some((0, NOW))] {
            let times = Times { now: NOW, stored, utc_offset_s: 50_400, any: &|_, _| false };
            let read = period(&parts.join(" "), &times);
            let sound = read.is_none_or(|read| read.from.zip(read.to).is_none_or(|(from, to)| from < to));
            prop_assert!(sound);
        }
    }

    #[test]
    fn a_time_is_read_in_every_way_that_it_is_written(seconds in 0_i64..360_000, length in 1_i64..3_000) {
        let from = NOW - 104 * HOUR + seconds * 1_000_000_000;
        let to = from + length * 1_000_000_000;
        let (day, of_day) = (shown(from)[..10].to_owned(), shown(from)[11..19].to_owned());
        let (to_day, to_of_day) = (shown(to)[..10].to_owned(), shown(to)[11..19].to_owned());
        for text in [
            format!("errors between {day} {of_day} and {to_day} {to_of_day}"),
            format!("errors from {day}T{of_day}Z to {to_day}T{to_of_day}Z"),
            format!("between {of_day} on {day} and {to_of_day} on {to_day}, what failed?"),
        ] {
            let read = read_at(&text, &|_, _| true).unwrap();
            prop_assert_eq!(read.from, Some(from), "{}", text);
            prop_assert_eq!(read.to, Some(to + 1_000_000_000), "{}", text);
        }
    }
}
