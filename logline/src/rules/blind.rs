//! Which rules cannot tell one number from another.
//!
//! Most lines of a stream differ only in their numbers. For a rule that looks at no particular digit and counts none, all of
//! them are the same line, so that it has to be asked only once; [`super::recall`] makes use of that. A rule is *blind* when
//! its conditions hold for a text exactly when they hold for the text with every run of digits shortened to a single `0`:
//!
//! - Its literals and globs hold no digit. Each then lies between two runs of digits, or not at all.
//! - In its regexes a class holds all ten digits or none, and one that holds them stands under `*` or `+` by itself, so that
//!   it takes a run of any length. Two such parts must not touch, as `\d+\w+` needs a run of at least two; only one of
//!   the parts that touch may ask for at least one byte.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::pack::Rule;

/// Whether `rule` is blind to numbers.
pub(super) fn is_blind(rule: &Rule) -> bool {
    let mut literals = rule.any.iter().chain(&rule.all).chain(&rule.none);
    let mut regexes = rule.blind_regex.iter().chain(&rule.blind_none_regex);
    literals.all(|text| !has_digit(text.as_bytes()))
        && rule.when.is_blind()
        && regexes.all(|blind| *blind)
}

/// Whether a regex is blind to numbers.
pub(super) fn is_blind_regex(hir: &Hir) -> bool {
    of(hir).is_some()
}

/// Whether one of `bytes` is a digit.
pub(super) fn has_digit(bytes: &[u8]) -> bool {
    bytes.iter().any(u8::is_ascii_digit)
}

/// How many bytes that may be digits, and must be there, a part asks for where it touches its neighbours; at most 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Touch {
    /// At its start.
    start: u8,
    /// At its end.
    end: u8,
    /// From one side to the other, where the whole part may consist of digits (or of nothing); none where it cannot.
    through: Option<u8>,
}

impl Touch {
    /// A part that takes no digit and cannot be empty.
    const WALL: Self = Self {
        start: 0,
        end: 0,
        through: None,
    };
    /// A part that is empty.
    const EMPTY: Self = Self {
        start: 0,
        end: 0,
        through: Some(0),
    };
}

/// How a blind regex touches its neighbours; none for a regex that is not blind.
fn of(hir: &Hir) -> Option<Touch> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(Touch::EMPTY),
        HirKind::Literal(literal) => (!has_digit(&literal.0)).then_some(Touch::WALL),
        HirKind::Class(class) => (digits_in(class)? == 0).then_some(Touch::WALL),
        HirKind::Capture(capture) => of(&capture.sub),
        HirKind::Repetition(repetition) => {
            if let HirKind::Class(class) = repetition.sub.kind()
                && digits_in(class)? == 10
            {
                let asks = u8::try_from(repetition.min).ok().filter(|min| *min <= 1)?;
                return repetition.max.is_none().then_some(Touch {
                    start: asks,
                    end: asks,
                    through: Some(asks),
                });
            }
            repeated(of(&repetition.sub)?, repetition.min)
        }
        HirKind::Concat(parts) => parts
            .iter()
            .try_fold(Touch::EMPTY, |before, part| joined(before, of(part)?)),
        HirKind::Alternation(parts) => parts.iter().map(of).reduce(|a, b| Some(either(a?, b?)))?,
    }
}

/// How many of the ten digits a class holds, if that is none or all.
fn digits_in(class: &Class) -> Option<usize> {
    let held = |digit: u8| match class {
        Class::Bytes(class) => class
            .ranges()
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&digit)),
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&char::from(digit))),
    };
    let count = (b'0'..=b'9').filter(|digit| held(*digit)).count();
    (count == 0 || count == 10).then_some(count)
}

/// One part after another.
fn joined(before: Touch, after: Touch) -> Option<Touch> {
    if before.end + after.start > 1 {
        return None;
    }
    Some(Touch {
        start: before.through.map_or(before.start, |through| {
            (through + after.start).max(before.start)
        }),
        end: after
            .through
            .map_or(after.end, |through| (through + before.end).max(after.end)),
        through: before.through.zip(after.through).map(|(a, b)| a + b),
    })
}

/// A part again and again.
fn repeated(part: Touch, min: u32) -> Option<Touch> {
    let twice = joined(part, part)?;
    // Whatever may be passed through once may be passed through any number of times.
    if part.through.is_some_and(|asks| asks > 0) {
        return None;
    }
    Some(Touch {
        through: if min == 0 { Some(0) } else { twice.through },
        ..twice
    })
}

/// One part or another.
fn either(a: Touch, b: Touch) -> Touch {
    Touch {
        start: a.start.max(b.start),
        end: a.end.max(b.end),
        through: match (a.through, b.through) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (one, other) => one.or(other),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blind(source: &str) -> bool {
        of(&super::super::pattern::check(source, true)
            .expect("a regex")
            .hir)
        .is_some()
    }

    #[test]
    fn regexes_that_take_any_number_are_blind() {
        for source in [
            "timed out after \\d+ms",
            "\\d+",
            "^\\S+ failed",
            ".*error.*",
            "\\bport \\d+\\b",
            "(?:\\d+\\.)+x",
            "from [\\d.]+ to [^ ]+ ",
            "a|b\\d+",
            "\\[\\d+\\]: (?:x|y)",
            "(?:\\d+ )?done",
            "x.*\\d+",
            "\\d+.* y",
        ] {
            assert!(blind(source), "{source}");
        }
    }

    #[test]
    fn regexes_that_count_or_compare_digits_are_not() {
        for source in [
            "\\d{3}",
            "[45]\\d\\d",
            "HTTP/1\\.1",
            "\\d",
            "x\\d:",
            ".{0,40}y",
            "\\d+\\S+",
            "\\d+\\s*\\d+",
            "[0-7]+",
            "(?:a\\d+|\\w+)\\w+",
            "(?:\\d+)+",
            "\\d+.*\\d+",
            "(?:\\d+|x)\\d+",
            "\\w+\\d*\\w+",
        ] {
            assert!(!blind(source), "{source}");
        }
    }
}
