//! What people and programs have different names for: `concepts.txt`, read once.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Word, words};

/// The number of a concept.
pub(in crate::ask) type Concept = u16;

/// The longest phrase, in words.
const LONGEST: usize = 4;

static TABLE: LazyLock<Concepts> = LazyLock::new(|| Concepts::parse(include_str!("concepts.txt")));

/// Concepts by the stems of their words and phrases.
#[derive(Debug, Default)]
pub(in crate::ask) struct Concepts {
    by_word: HashMap<String, Vec<Concept>>,
    by_phrase: HashMap<Vec<String>, Vec<Concept>>,
}

impl Concepts {
    /// The built-in table.
    pub(in crate::ask) fn table() -> &'static Self {
        &TABLE
    }

    fn parse(text: &str) -> Self {
        let mut table = Self::default();
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        for (concept, line) in (0..).zip(lines) {
            for term in line.split(',') {
                let mut stems: Vec<String> = words(term, LONGEST)
                    .into_iter()
                    .map(|word| word.stem)
                    .collect();
                let known = if stems.len() == 1 {
                    table.by_word.entry(stems.remove(0)).or_default()
                } else {
                    table.by_phrase.entry(stems).or_default()
                };
                if !known.contains(&concept) {
                    known.push(concept);
                }
            }
        }
        table
    }

    /// The concepts of a word.
    pub(in crate::ask) fn of_word(&self, stem: &str) -> &[Concept] {
        self.by_word.get(stem).map_or(&[], Vec::as_slice)
    }

    /// The longest phrase that begins with the first of `words`: how many of them it takes, and its concepts.
    pub(in crate::ask) fn phrase(&self, words: &[Word]) -> Option<(usize, &[Concept])> {
        (2..=LONGEST.min(words.len())).rev().find_map(|length| {
            let stems: Vec<String> = words[..length]
                .iter()
                .map(|word| word.stem.clone())
                .collect();
            let found = self.by_phrase.get(&stems)?;
            Some((length, found.as_slice()))
        })
    }

    /// All concepts of a text, each once.
    pub(in crate::ask) fn of_text(&self, words: &[Word]) -> Vec<Concept> {
        let mut found: Vec<Concept> = Vec::new();
        for (at, word) in words.iter().enumerate() {
            if !word.empty {
                found.extend(self.of_word(&word.stem));
            }
            for length in 2..=LONGEST {
                let Some(part) = words.get(at..at + length) else {
                    break;
                };
                let stems: Vec<String> = part.iter().map(|word| word.stem.clone()).collect();
                found.extend(self.by_phrase.get(&stems).into_iter().flatten());
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(a: &str, b: &str) -> bool {
        let table = Concepts::table();
        let of = |text: &str| table.of_text(&words(text, 50));
        let (a, b) = (of(a), of(b));
        a.iter().any(|concept| b.contains(concept))
    }

    #[test]
    fn asked_and_printed_words_meet() {
        assert!(share("out of memory", "oom-killer invoked"));
        assert!(share("refused", "ECONNREFUSED"));
        assert!(share("slow", "request timed out, latency 5 s"));
        assert!(share("who signed in", "session opened for user"));
        assert!(!share("certificate", "heartbeat"));
    }

    #[test]
    fn every_line_of_the_table_joins_something() {
        let lines = include_str!("concepts.txt").lines();
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            assert!(line.split(',').count() >= 2, "{line}");
            for term in line.split(',') {
                let count = words(term, 10).len();
                assert!((1..=LONGEST).contains(&count), "{term}");
            }
        }
    }
}
