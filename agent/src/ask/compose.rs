//! An answer in words without an LLM: what was counted, when and where, with a `[n]` for each reference.

use std::fmt::Write as _;

use super::answer::{Answer, LookedAt, Reference};
use super::read::Wish;

/// References that get a sentence of their own.
const TOLD: usize = 3;

/// Tells what was found.
pub(super) fn found(answer: &Answer, wish: Wish) -> String {
    let references = &answer.references;
    let mut text = String::new();
    let all: u64 = references.iter().map(|reference| reference.count).sum();
    let Some(best) = references.first() else {
        return text;
    };
    let scope = scope(&answer.looked_at);
    match wish {
        Wish::Count if references.len() == 1 => {
            let _ = write!(text, "{}{scope} [1].", times(best.count));
        }
        Wish::Count => {
            let _ = write!(
                text,
                "{} by what fits best [1]{scope}; {} with what else may be meant.",
                times(best.count),
                times(all)
            );
        }
        _ if references.len() == 1 => {
            let _ = write!(
                text,
                "One kind of line fits{scope}, {} [1].",
                seen(best.count)
            );
        }
        _ => {
            let _ = write!(
                text,
                "{} kinds of lines fit{scope}, {} in all, the best first.",
                references.len(),
                events(all)
            );
        }
    }
    for reference in references.iter().take(TOLD) {
        text.push('\n');
        text.push_str(&one(reference));
    }
    if references.len() > TOLD {
        let rest: Vec<String> = references[TOLD..]
            .iter()
            .map(|reference| format!("[{}] {}", reference.id, events(reference.count)))
            .collect();
        let _ = write!(text, "\nAlso: {}.", rest.join(", "));
    }
    for assumed in &answer.looked_at.assumed {
        let _ = write!(text, "\nThe time was {assumed}.");
    }
    text
}

/// Tells that there is nothing, and where it was looked for.
pub(super) fn nothing(answer: &Answer) -> String {
    let looked = &answer.looked_at;
    let mut text = String::from("Nothing found");
    if !looked.names.is_empty() {
        let _ = write!(text, ": no line has {}", looked.names.join(" and "));
    }
    let _ = write!(
        text,
        ". Looked at {} of {}{}.",
        events(looked.events),
        plural(looked.templates as u64, "kind", "kinds"),
        scope(looked)
    );
    for assumed in &looked.assumed {
        let _ = write!(text, " The time was {assumed}.");
    }
    text
}

/// `[1] error, storage: 12 times from 10:15:02 to 10:19:58 on 2026-01-02 by web-1.`
fn one(reference: &Reference) -> String {
    let mut text = format!(
        "[{}] {}, {}: {}",
        reference.id,
        reference.level,
        reference.category,
        times(reference.count)
    );
    if let (Some(first), Some(last)) = (&reference.first, &reference.last) {
        let _ = write!(text, ", {}", stretch(first, last));
    }
    match reference.streams.as_slice() {
        [] => {}
        [only] => {
            let _ = write!(text, ", by {}", only.name);
        }
        [first, second] => {
            let _ = write!(
                text,
                ", by {} ({}) and {} ({})",
                first.name, first.count, second.name, second.count
            );
        }
        [first, ..] => {
            let _ = write!(
                text,
                ", by {} streams, most by {} ({})",
                reference.streams.len(),
                first.name,
                first.count
            );
        }
    }
    if let Some(before) = reference.count_before {
        let _ = match before.cmp(&reference.count) {
            std::cmp::Ordering::Equal => write!(text, "; as often in the same time before"),
            _ if before == 0 => write!(text, "; not at all in the same time before"),
            _ => write!(text, "; {} in the same time before", times(before)),
        };
    }
    text.push('.');
    text
}

/// ` between A and B`, where the question was bounded.
fn scope(looked: &LookedAt) -> String {
    match (&looked.from, &looked.to) {
        (Some(from), Some(to)) => format!(" {}", stretch(from, to)),
        (Some(from), None) => format!(" since {}", moment(from)),
        (None, Some(to)) => format!(" before {}", moment(to)),
        (None, None) => String::new(),
    }
}

/// From one time to another, the day once where it is the same.
fn stretch(first: &str, last: &str) -> String {
    let (day, of_day) = parts(first);
    let (last_day, last_of_day) = parts(last);
    if first == last {
        format!("at {of_day} on {day}")
    } else if day == last_day {
        format!("from {of_day} to {last_of_day} on {day}")
    } else {
        format!("from {day} {of_day} to {last_day} {last_of_day}")
    }
}

fn moment(time: &str) -> String {
    let (day, of_day) = parts(time);
    format!("{of_day} on {day}")
}

/// Day and time of day of an RFC 3339 time in UTC, without the fraction.
fn parts(time: &str) -> (&str, &str) {
    let (day, of_day) = time.split_once('T').unwrap_or((time, ""));
    let of_day = of_day.trim_end_matches('Z');
    (day, of_day.split('.').next().unwrap_or(of_day))
}

fn times(count: u64) -> String {
    if count == 1 {
        "once".to_owned()
    } else {
        format!("{} times", grouped(count))
    }
}

fn seen(count: u64) -> String {
    if count == 1 {
        "seen once".to_owned()
    } else {
        format!("seen {} times", grouped(count))
    }
}

fn events(count: u64) -> String {
    plural(count, "event", "events")
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// `12,345`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
