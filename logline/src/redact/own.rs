//! The user's own patterns: a name and a regex each, all of them looked for in one pass.

use regex_automata::{meta, nfa::thompson, util::captures::Captures, util::syntax};
use regex_syntax::{ParserBuilder, hir::Hir};

use super::{
    Detector, Finding, OwnPattern,
    error::{RedactError, Refused},
    marker,
};

/// How many own patterns there may be.
const MAX_PATTERNS: usize = 100;
/// How long a name may be, in bytes.
const MAX_NAME: usize = 48;
/// How deep groups may be nested.
const MAX_NESTING: u32 = 50;
/// Memory for the automaton of all patterns, in bytes.
const MAX_NFA: usize = 4 * 1024 * 1024;
/// Memory for the automaton of one pattern, in bytes.
const MAX_ONE: usize = 512 * 1024;
/// The lazy automaton's cache, in bytes.
const MAX_LAZY: usize = 512 * 1024;
/// The group that holds the secret, where only a part of the match is one.
const GROUP: &str = "secret";

/// All own patterns, compiled.
#[derive(Debug)]
pub(super) struct Own {
    names: Vec<String>,
    regex: Option<meta::Regex>,
    /// Whether some pattern marks its secret by a group.
    grouped: bool,
}

impl Own {
    /// Checks and compiles the patterns.
    ///
    /// # Errors
    /// The first pattern that may not be used.
    pub(super) fn new(patterns: &[OwnPattern]) -> Result<Self, RedactError> {
        let mut names: Vec<String> = Vec::new();
        let mut trees = Vec::new();
        for pattern in patterns {
            let refuse = |why| RedactError {
                name: pattern.name.clone(),
                why,
            };
            if names.len() == MAX_PATTERNS {
                return Err(refuse(Refused::Many(MAX_PATTERNS)));
            }
            if !is_name(&pattern.name) {
                return Err(refuse(Refused::Name));
            }
            if names.contains(&pattern.name) || Detector::from_name(&pattern.name).is_some() {
                return Err(refuse(Refused::Taken));
            }
            trees.push(check(&pattern.regex).map_err(refuse)?);
            names.push(pattern.name.clone());
        }
        let Some(last) = names.last() else {
            return Ok(Self {
                names,
                regex: None,
                grouped: false,
            });
        };
        let regex = builder(MAX_NFA)
            .build_many_from_hir(&trees)
            .map_err(|_| RedactError {
                name: last.clone(),
                why: Refused::Large,
            })?;
        let grouped = regex
            .group_info()
            .all_names()
            .any(|(_, _, name)| name == Some(GROUP));
        Ok(Self {
            names,
            regex: Some(regex),
            grouped,
        })
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Adds what the patterns find to `found`, in the order of the text.
    pub(super) fn find(&self, text: &[u8], found: &mut Vec<Finding>) {
        let Some(regex) = &self.regex else {
            return;
        };
        let mut push = |pattern: usize, start: usize, end: usize| {
            // What stands inside a replacement is no secret any more.
            let inside = marker::around(text, start).is_some_and(|(_, marked)| end <= marked);
            if start < end && !inside {
                found.push(Finding {
                    start,
                    end,
                    detector: Detector::Own,
                    own: u16::try_from(pattern).unwrap_or(u16::MAX),
                });
            }
        };
        if self.grouped {
            // The groups' places are allocated: only for a text that has something.
            if !regex.is_match(text) {
                return;
            }
            for groups in regex.captures_iter(text) {
                if let (Some(pattern), Some(span)) = (groups.pattern(), secret(&groups)) {
                    push(pattern.as_usize(), span.start, span.end);
                }
            }
        } else {
            for hit in regex.find_iter(text) {
                push(hit.pattern().as_usize(), hit.start(), hit.end());
            }
        }
    }
}

/// The part of a match that is the secret.
fn secret(groups: &Captures) -> Option<regex_automata::Span> {
    groups
        .get_group_by_name(GROUP)
        .or_else(|| groups.get_group(0))
}

/// Whether it may stand in a replacement and in a metric's label.
fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Parses one regex and refuses what cannot be used.
fn check(source: &str) -> Result<Hir, Refused> {
    let hir = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .nest_limit(MAX_NESTING)
        .build()
        .parse(source)
        .map_err(|error| {
            Refused::Syntax(match error {
                regex_syntax::Error::Parse(error) => {
                    format!("{} at offset {}", error.kind(), error.span().start.offset)
                }
                regex_syntax::Error::Translate(error) => {
                    format!("{} at offset {}", error.kind(), error.span().start.offset)
                }
                other => other.to_string(),
            })
        })?;
    match hir.properties().minimum_len() {
        None => return Err(Refused::Never),
        Some(0) => return Err(Refused::Empty),
        Some(_) => {}
    }
    builder(MAX_ONE)
        .build_from_hir(&hir)
        .map_err(|_| Refused::Large)?;
    Ok(hir)
}

fn builder(max: usize) -> meta::Builder {
    let mut builder = meta::Builder::new();
    builder
        .configure(
            meta::Config::new()
                .utf8_empty(false)
                .nfa_size_limit(Some(max))
                .hybrid_cache_capacity(MAX_LAZY)
                .which_captures(thompson::WhichCaptures::All),
        )
        .syntax(syntax::Config::new().unicode(false).utf8(false));
    builder
}
