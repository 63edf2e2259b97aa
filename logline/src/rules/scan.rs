//! Finds which of many literals occur in a text, in one pass, ASCII case ignored.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::error::{PackError, Problem};

/// The literals of all rules, ready to be looked for.
#[derive(Debug)]
pub(super) struct Scanner {
    /// None where there are no literals.
    automaton: Option<AhoCorasick>,
}

impl Scanner {
    /// Builds the scanner for distinct, non-empty literals in lower case. Their index is their id.
    ///
    /// # Errors
    /// Where the literals are too many for the automaton.
    pub(super) fn new(literals: &[Vec<u8>]) -> Result<Self, PackError> {
        if literals.is_empty() {
            return Ok(Self { automaton: None });
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(literals)
            .map_err(|error| {
                PackError::one(Problem {
                    line: 0,
                    column: 0,
                    rule: None,
                    message: format!("the rules' literals do not fit into one automaton: {error}"),
                    help: None,
                })
            })?;
        Ok(Self {
            automaton: Some(automaton),
        })
    }

    /// Tells every occurrence as (id of the literal, its start, its end).
    pub(super) fn scan(&self, text: &[u8], mut hit: impl FnMut(usize, usize, usize)) {
        if let Some(automaton) = &self.automaton {
            for found in automaton.find_overlapping_iter(text) {
                hit(found.pattern().as_usize(), found.start(), found.end());
            }
        }
    }
}
