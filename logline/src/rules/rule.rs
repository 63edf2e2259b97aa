//! One rule as the engine runs it: the conditions that are left once its key literal was found.

use std::sync::Arc;

use super::{
    engine::{Decision, RuleInput},
    glob::Glob,
    needle::Needle,
    pack::{Rule, Scope, When},
    pattern::Pattern,
    residue::Residue,
};

/// Which literals occur in a text: one bit per literal that the scanner knows.
#[derive(Debug, Default)]
pub(super) struct Seen {
    bits: Vec<u64>,
    /// The words of `bits` that are not zero: few, as few literals occur in one line.
    words: Vec<u32>,
}

impl Seen {
    /// Forgets everything, for `count` literals.
    #[inline]
    pub(super) fn reset(&mut self, count: usize) {
        let size = count.div_ceil(64);
        if self.bits.len() != size {
            self.bits.clear();
            self.bits.resize(size, 0);
        }
        for word in self.words.drain(..) {
            if let Some(bits) = self.bits.get_mut(word as usize) {
                *bits = 0;
            }
        }
    }

    /// Notes that a literal occurs. Tells whether that is new.
    #[inline]
    pub(super) fn note(&mut self, literal: usize) -> bool {
        let bit = 1 << (literal % 64);
        match self.bits.get_mut(literal / 64) {
            Some(word) if *word & bit == 0 => {
                if *word == 0 {
                    self.words
                        .push(u32::try_from(literal / 64).unwrap_or(u32::MAX));
                }
                *word |= bit;
                true
            }
            _ => false,
        }
    }

    #[inline]
    pub(super) fn has(&self, literal: u32) -> bool {
        self.bits
            .get(literal as usize / 64)
            .is_some_and(|word| word & (1 << (literal % 64)) != 0)
    }
}

/// Literals by the ids that the scanner knows them by.
pub(super) type Ids = Box<[u32]>;

/// What the scanner's hits say of a rule, before its text is looked at again.
#[derive(Debug, Default)]
pub(super) struct Gates {
    /// Of each of these sets one literal must have been seen.
    pub(super) sets: Vec<Ids>,
    /// For each regex, sets of which one literal must have been seen.
    pub(super) regex: Vec<Vec<Ids>>,
    /// Whether `sets` says all about `any`; and about which of `all`.
    pub(super) any_settled: bool,
    pub(super) all_settled: Vec<bool>,
}

/// A regex with the sets of literals of which each must have one seen for it to match.
pub(super) type Gated = (Box<[Ids]>, Arc<Pattern>);

/// A rule ready to be verified.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) id: Box<str>,
    pub(super) category: usize,
    pub(super) level: Option<crate::level::Level>,
    pub(super) confidence: f32,
    pub(super) scope: Scope,
    /// Where the rule stands in its pack.
    pub(super) index: usize,
    pub(super) when: Option<Box<When>>,
    sets: Box<[Ids]>,
    any: Box<[Needle]>,
    all: Box<[Needle]>,
    none: Box<[Needle]>,
    pub(super) regex: Box<[Gated]>,
    none_regex: Box<[Arc<Pattern>]>,
    /// Where the rule can tell numbers apart: what that takes.
    pub(super) residue: Option<Box<Residue>>,
}

impl Compiled {
    /// `gates` tells what the scanner's hits settle, so that it is not looked for again.
    pub(super) fn new(rule: &Rule, index: usize, gates: Gates) -> Self {
        let needles = |texts: &[String], settled: &[bool]| -> Box<[Needle]> {
            texts
                .iter()
                .enumerate()
                .filter(|(index, _)| !settled.get(*index).copied().unwrap_or_default())
                .map(|(_, text)| Needle::new(text, rule.fold))
                .collect()
        };
        let pattern = |source: &String| Arc::new(Pattern::new(source, rule.fold));
        let mut regex_sets = gates.regex.into_iter();
        let none_regex: Box<[Arc<Pattern>]> = rule.none_regex.iter().map(pattern).collect();
        Self {
            id: rule.id.as_str().into(),
            category: rule.category,
            level: rule.level,
            confidence: rule.confidence,
            scope: rule.scope,
            index,
            when: (!rule.when.is_empty()).then(|| Box::new(rule.when.clone())),
            sets: gates.sets.into_boxed_slice(),
            any: if gates.any_settled {
                Box::default()
            } else {
                needles(&rule.any, &[])
            },
            all: needles(&rule.all, &gates.all_settled),
            none: needles(&rule.none, &[]),
            regex: rule
                .regex
                .iter()
                .map(|source| {
                    (
                        regex_sets.next().unwrap_or_default().into_boxed_slice(),
                        pattern(source),
                    )
                })
                .collect(),
            residue: Residue::of(rule, &none_regex),
            none_regex,
        }
    }

    /// What the rule says where it holds.
    pub(super) fn decision(&self, input: &RuleInput<'_>) -> Decision {
        Decision {
            rule: self.index,
            category: self.category,
            level: input.level.or(self.level),
            confidence: self.confidence,
        }
    }

    /// The text that the rule reads.
    pub(super) fn text<'a>(&self, input: &RuleInput<'a>) -> &'a [u8] {
        match self.scope {
            Scope::Line => input.line,
            Scope::Message => input.message,
        }
    }

    /// Where the rule's text shows best why it matches: its regex, else the first literal that occurs.
    pub(super) fn span(&self, rule: &Rule, text: &[u8]) -> (usize, usize) {
        if let Some(found) = self.regex.iter().find_map(|(_, regex)| regex.find(text)) {
            return found;
        }
        rule.any
            .iter()
            .chain(&rule.all)
            .find_map(|literal| {
                let start = Needle::new(literal, rule.fold).find(text)?;
                Some((start, start + literal.len()))
            })
            .unwrap_or((0, 0))
    }

    /// Whether all conditions hold, given which literals occur in the rule's text.
    pub(super) fn holds(&self, input: &RuleInput<'_>, seen: &Seen) -> bool {
        let one_of = |set: &Ids| set.iter().any(|literal| seen.has(*literal));
        if !self.sets.iter().all(one_of) {
            return false;
        }
        let text = self.text(input);
        self.when
            .as_ref()
            .is_none_or(|when| when.miss(input).is_none())
            && self.all.iter().all(|needle| needle.is_in(text))
            && (self.any.is_empty() || self.any.iter().any(|needle| needle.is_in(text)))
            && (self.regex.is_empty()
                || self
                    .regex
                    .iter()
                    .any(|(sets, regex)| sets.iter().all(one_of) && regex.is_match(text)))
            && !self.none.iter().any(|needle| needle.is_in(text))
            && !self.none_regex.iter().any(|regex| regex.is_match(text))
    }
}

impl When {
    /// Whether the fields' conditions hold for all texts alike that differ only in their numbers.
    pub(super) fn is_blind(&self) -> bool {
        self.logger.iter().all(Glob::is_blind)
            && self.container.is_empty()
            && self.image.is_empty()
            && self.labels.is_empty()
    }

    /// Whether the conditions might hold for an event that differs from this one only in its numbers and its container.
    pub(super) fn may_fit(&self, input: &RuleInput<'_>) -> bool {
        let logger = |glob: &Glob| {
            !glob.is_blind() || input.logger.is_some_and(|logger| glob.matches(logger))
        };
        (self.level.is_empty() || input.level.is_some_and(|level| self.level.contains(&level)))
            && (self.stream.is_empty() || self.stream.contains(&input.stream))
            && (self.logger.is_empty() || self.logger.iter().any(logger))
    }

    /// The first field whose condition does not hold.
    pub(super) fn miss(&self, input: &RuleInput<'_>) -> Option<&'static str> {
        let fits = |globs: &[Glob], value: Option<&[u8]>| {
            globs.is_empty()
                || value.is_some_and(|value| globs.iter().any(|glob| glob.matches(value)))
        };
        if !self.level.is_empty() && !input.level.is_some_and(|level| self.level.contains(&level)) {
            return Some("level");
        }
        if !self.stream.is_empty() && !self.stream.contains(&input.stream) {
            return Some("stream");
        }
        if !fits(&self.logger, input.logger) {
            return Some("logger");
        }
        if !fits(&self.container, input.container.map(str::as_bytes)) {
            return Some("container");
        }
        if !fits(&self.image, input.image.map(str::as_bytes)) {
            return Some("image");
        }
        let labels = self.labels.iter().all(|(name, globs)| {
            input.labels.iter().any(|(have, value)| {
                have == name
                    && (globs.is_empty() || globs.iter().any(|glob| glob.matches(value.as_bytes())))
            })
        });
        (!labels).then_some("labels")
    }
}
