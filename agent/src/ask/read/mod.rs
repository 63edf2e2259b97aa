//! What a question asks for: which time, which things, how many or why.

mod atoms;
mod names;
mod start;
#[cfg(test)]
mod tests;
mod time;

pub(super) use names::{Name, names, numbers};
pub(super) use start::{SinceStart, since_start, tells_of_a_start};
pub(super) use time::{Period, Times, period};

use logline::level::Level;

/// What kind of answer is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Wish {
    /// What there is.
    #[default]
    List,
    /// How many.
    Count,
    /// When.
    When,
    /// Whether at all.
    Whether,
    /// Why.
    Why,
}

/// The kind of answer that a question wants, told by how it begins.
pub(super) fn wish(text: &str) -> Wish {
    let lower = text.to_ascii_lowercase();
    let has = |words: &str| lower.contains(words);
    let first = lower
        .split(|c: char| !c.is_ascii_alphabetic())
        .find(|word| !word.is_empty())
        .unwrap_or_default();
    match first {
        _ if has("how many") || has("how often") || has("number of") || has("count of") => {
            Wish::Count
        }
        "count" => Wish::Count,
        "when" => Wish::When,
        "why" => Wish::Why,
        _ if has("why ") => Wish::Why,
        "is" | "are" | "was" | "were" | "did" | "does" | "do" | "has" | "have" | "can"
        | "could" | "any" => Wish::Whether,
        _ => Wish::List,
    }
}

/// The least level that a question asks for by name, and whether it asks for nothing else but that.
pub(super) fn level(text: &str) -> Option<Level> {
    let mut least: Option<Level> = None;
    for (_, chunk) in atoms::chunks(text) {
        let level = match chunk.to_ascii_lowercase().as_str() {
            "errors" | "error" | "err" => Level::Error,
            "warnings" | "warning" | "warn" | "warns" => Level::Warn,
            "fatal" | "fatals" | "critical" | "emergency" => Level::Fatal,
            _ => continue,
        };
        least = Some(least.map_or(level, |least| least.min(level)));
    }
    least
}
