//! One regex: checked for syntax and size at load, compiled when a line first needs it.

use std::sync::OnceLock;

use regex_automata::{
    Input, MatchKind,
    dfa::{Automaton, StartKind, dense},
    meta,
    nfa::thompson,
    util::syntax,
};
use regex_syntax::{
    ParserBuilder,
    hir::{Hir, HirKind},
};

/// The largest regex that a pack may hold, in states of its automaton (counted repetitions are multiplied out).
pub(super) const MAX_STATES: u64 = 5_000;
/// How deep groups may be nested in a regex.
const MAX_NESTING: u32 = 50;
/// A dense automaton larger than this gives way to the lazy one, in bytes.
const MAX_DENSE: usize = 96 * 1024;
/// Memory for working out a dense automaton, in bytes.
const MAX_DETERMINIZE: usize = 512 * 1024;
/// The lazy automaton's cache, in bytes.
const MAX_LAZY: usize = 256 * 1024;
/// Memory for one regex's basic automaton, in bytes: well above what [`MAX_STATES`] lets through.
const MAX_NFA: usize = 4 * 1024 * 1024;

/// A checked regex.
#[derive(Debug)]
pub(super) struct Pattern {
    source: Box<str>,
    fold: bool,
    matcher: OnceLock<Matcher>,
}

#[derive(Debug)]
enum Matcher {
    Dense(Box<dense::DFA<Vec<u32>>>),
    Meta(Box<meta::Regex>),
    /// Only where neither could be built, which the check at load is there to prevent.
    Never,
}

/// A regex that may be used.
pub(super) struct Checked {
    /// Its syntax tree.
    pub(super) hir: Hir,
    /// About how many states its automaton has.
    pub(super) states: u64,
}

/// Parses one regex and refuses one that is too large.
///
/// # Errors
/// What is wrong with it, as one line.
pub(super) fn check(source: &str, fold: bool) -> Result<Checked, String> {
    let hir = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .case_insensitive(fold)
        .nest_limit(MAX_NESTING)
        .build()
        .parse(source)
        .map_err(|error| match error {
            regex_syntax::Error::Parse(error) => {
                format!("{} at offset {}", error.kind(), error.span().start.offset)
            }
            regex_syntax::Error::Translate(error) => {
                format!("{} at offset {}", error.kind(), error.span().start.offset)
            }
            other => other.to_string(),
        })?;
    let states = states(&hir);
    if states > MAX_STATES {
        return Err(format!(
            "it needs {} states once its counted repetitions are multiplied out, and at most {MAX_STATES} are allowed",
            if states == u64::MAX {
                "more than 10^19".to_owned()
            } else {
                states.to_string()
            }
        ));
    }
    Ok(Checked { hir, states })
}

/// About how many states an automaton for `hir` has, repetitions multiplied out.
fn states(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(regex_syntax::hir::Class::Bytes(_)) => 1,
        // Each range of a Unicode class becomes a few byte sequences.
        HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => 4 * class.ranges().len() as u64,
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            states(&repetition.sub)
                .saturating_add(1)
                .saturating_mul(u64::from(times))
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts
            .iter()
            .fold(1, |sum: u64, part| sum.saturating_add(states(part))),
    }
}

impl Pattern {
    /// Keeps a checked regex; nothing is compiled yet.
    pub(super) fn new(source: &str, fold: bool) -> Self {
        Self {
            source: source.into(),
            fold,
            matcher: OnceLock::new(),
        }
    }

    /// Whether it matches somewhere in `text`.
    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        match self.matcher.get_or_init(|| self.compile()) {
            Matcher::Dense(dfa) => dfa
                .try_search_fwd(&Input::new(text).earliest(true))
                .is_ok_and(|found| found.is_some()),
            Matcher::Meta(regex) => regex.is_match(text),
            Matcher::Never => false,
        }
    }

    /// Where it matches first: start and end. Slower than [`Self::is_match`], as it compiles what it needs each time.
    pub(super) fn find(&self, text: &[u8]) -> Option<(usize, usize)> {
        let found = self.meta()?.find(text)?;
        Some((found.start(), found.end()))
    }

    fn syntax(&self) -> syntax::Config {
        syntax::Config::new()
            .unicode(false)
            .utf8(false)
            .case_insensitive(self.fold)
            .nest_limit(MAX_NESTING)
    }

    fn compile(&self) -> Matcher {
        let dense = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Unanchored)
                    .match_kind(MatchKind::LeftmostFirst)
                    .dfa_size_limit(Some(MAX_DENSE))
                    .determinize_size_limit(Some(MAX_DETERMINIZE)),
            )
            .syntax(self.syntax())
            .thompson(
                thompson::Config::new()
                    .utf8(false)
                    .nfa_size_limit(Some(MAX_NFA)),
            )
            .build(&self.source);
        match dense {
            Ok(dfa) => Matcher::Dense(Box::new(dfa)),
            Err(_) => self
                .meta()
                .map_or(Matcher::Never, |regex| Matcher::Meta(Box::new(regex))),
        }
    }

    fn meta(&self) -> Option<meta::Regex> {
        meta::Builder::new()
            .configure(
                meta::Config::new()
                    .utf8_empty(false)
                    .nfa_size_limit(Some(MAX_NFA))
                    .hybrid_cache_capacity(MAX_LAZY)
                    .onepass(false)
                    .backtrack(false)
                    .dfa(false),
            )
            .syntax(self.syntax())
            .build(&self.source)
            .ok()
    }
}
