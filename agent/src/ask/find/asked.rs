//! What is left of a question when its times and names are understood.

use std::ops::Range;

use crate::ask::read::{self, Times};

/// Words that only say what kind of thing a name names, or that something is asked.
const KINDS: &str = " block blocks client clients container containers pod node nodes host hosts ip address server user users \
    account process pid thread instance instances vm request job task attempt session id port machine device package update \
    file path service program application app image component what happened went on did do does report reported state status \
    activity see seen know known about with to for of the is was a an and or during time times on in events event ";

/// The question without what was understood already: `taken`, and the names in it; `without_kinds`: nor the words in [`KINDS`].
pub(super) fn rest(
    text: &str,
    taken: &[Range<usize>],
    names: &[read::Name],
    without_kinds: bool,
) -> String {
    let mut taken: Vec<Range<usize>> = taken.to_vec();
    taken.extend(names.iter().map(|name| name.at.clone()));
    let mut rest = String::new();
    let mut at = 0;
    taken.sort_by_key(|range| range.start);
    for range in taken {
        rest.push_str(text.get(at..range.start).unwrap_or_default());
        rest.push(' ');
        at = at.max(range.end);
    }
    rest.push_str(text.get(at..).unwrap_or_default());
    if !without_kinds {
        return rest;
    }
    let kept: Vec<&str> = rest
        .split_whitespace()
        .filter(|word| {
            let lower = word.to_ascii_lowercase();
            let word = lower.trim_matches(|c: char| !c.is_alphanumeric());
            !KINDS.contains(&format!(" {word} "))
        })
        .collect();
    kept.join(" ")
}

/// A question read together with the one before it: what was asked, without its time where the new one has its own.
pub(in crate::ask) fn together(before: &str, question: &str) -> String {
    let any = |_: i64, _: i64| true;
    let times = Times {
        now: 0,
        stored: None,
        utc_offset_s: 0,
        any: &any,
    };
    let mut text = before.to_owned();
    if read::period(question, &times).is_some()
        && let Some(period) = read::period(before, &times)
    {
        for range in period.taken.iter().rev() {
            text.replace_range(range.clone(), " ");
        }
    }
    format!("{text} {question}")
}

/// Numbers and names in the question: lines that have them are quoted first.
pub(super) fn literals(text: &str, taken: &[Range<usize>], names: &[read::Name]) -> Vec<String> {
    let mut wanted: Vec<String> = names.iter().map(|name| name.text.clone()).collect();
    for name in read::numbers(text, taken) {
        if !wanted.contains(&name) {
            wanted.push(name);
        }
    }
    wanted.truncate(8);
    wanted
}

/// A question without the words that name levels.
pub(super) fn without_levels(text: &str) -> String {
    let kept: Vec<&str> = text
        .split_whitespace()
        .filter(|word| read::level(word).is_none())
        .filter(|word| {
            let lower = word.to_ascii_lowercase();
            !["messages", "lines", "logged", "or"]
                .contains(&lower.trim_matches(|c: char| !c.is_alphanumeric()))
        })
        .collect();
    kept.join(" ")
}
