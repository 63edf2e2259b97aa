//! One rule as the engine runs it: the conditions that are left once its key literal was found.

use super::{
    engine::{Decision, RuleInput},
    glob::Glob,
    needle::Needle,
    pack::{Rule, Scope, When},
    pattern::Pattern,
};

/// Which of a rule's conditions the scanner has already seen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// No literal is required: the rule is looked at for every line.
    Nothing,
    /// One of `any` was found.
    Any,
    /// This one of `all` was found.
    All(usize),
    /// A literal that the regexes require was found, which says little yet.
    Regex,
}

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
    when: Option<Box<When>>,
    any: Box<[Needle]>,
    all: Box<[Needle]>,
    none: Box<[Needle]>,
    regex: Option<Pattern>,
    none_regex: Option<Pattern>,
}

impl Compiled {
    /// `settled`: the condition that a found key literal proves, so that it need not be looked at again.
    pub(super) fn new(rule: &Rule, index: usize, settled: Key) -> Self {
        let needles = |texts: &[String]| -> Box<[Needle]> {
            texts
                .iter()
                .map(|text| Needle::new(text, rule.fold))
                .collect()
        };
        let mut all = needles(&rule.all).into_vec();
        let mut any = needles(&rule.any);
        if rule.fold {
            match settled {
                Key::All(settled) => drop(all.remove(settled)),
                Key::Any => any = Box::default(),
                Key::Nothing | Key::Regex => {}
            }
        }
        let pattern =
            |sources: &[String]| (!sources.is_empty()).then(|| Pattern::new(sources, rule.fold));
        Self {
            id: rule.id.as_str().into(),
            category: rule.category,
            level: rule.level,
            confidence: rule.confidence,
            scope: rule.scope,
            index,
            when: (!rule.when.is_empty()).then(|| Box::new(rule.when.clone())),
            any,
            all: all.into_boxed_slice(),
            none: needles(&rule.none),
            regex: pattern(&rule.regex),
            none_regex: pattern(&rule.none_regex),
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
        if let Some(found) = self.regex.as_ref().and_then(|regex| regex.find(text)) {
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

    /// Whether all conditions hold, given that the key literal occurs in the rule's text.
    pub(super) fn holds(&self, input: &RuleInput<'_>) -> bool {
        let text = self.text(input);
        self.when
            .as_ref()
            .is_none_or(|when| when.miss(input).is_none())
            && self.all.iter().all(|needle| needle.is_in(text))
            && (self.any.is_empty() || self.any.iter().any(|needle| needle.is_in(text)))
            && self.regex.as_ref().is_none_or(|regex| regex.is_match(text))
            && !self.none.iter().any(|needle| needle.is_in(text))
            && !self
                .none_regex
                .as_ref()
                .is_some_and(|regex| regex.is_match(text))
    }
}

impl When {
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
