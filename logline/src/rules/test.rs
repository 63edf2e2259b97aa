//! Runs a pack's own example lines: each `match` line must be decided by its rule, each `no_match` line must not be matched by it.

use std::fmt;

use super::{
    engine::{RuleInput, RuleSet, Scratch},
    error::PackError,
    needle::Needle,
    pack::{Pack, Rule, Scope},
    pattern::Pattern,
};
use crate::{header, time::TimeContext};

/// What came of a pack's example lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestReport {
    /// How many rules were tested.
    pub rules: usize,
    /// How many example lines were run.
    pub examples: usize,
    /// The examples that went wrong, in the order of the file.
    pub failures: Vec<Failure>,
    /// What is not wrong but deserves a look, in the order of the file.
    pub warnings: Vec<Warning>,
}

impl TestReport {
    /// Whether every example went right. Warnings do not count.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// An example that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The rule that holds the example.
    pub rule: String,
    /// Line of the pack's file where that rule begins, counted from 1.
    pub at_line: u64,
    /// The example, whole.
    pub example: String,
    /// What went wrong with it.
    pub why: Why,
}

/// What went wrong with an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The rule does not match its `match` line, because of this condition.
    Misses(Miss),
    /// The rule matches its `match` line, but this rule comes before it and matches too.
    Loses {
        /// The id of the rule that wins.
        to: String,
        /// Why that rule comes first.
        because: &'static str,
    },
    /// The rule matches a line that it says it does not.
    Matches,
}

/// The first condition of a rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// A field of `when`.
    When(&'static str),
    /// None of the literals of `any` occurs.
    Any,
    /// This literal of `all` does not occur.
    All(String),
    /// This literal of `none` occurs.
    None(String),
    /// None of the regexes matches.
    Regex,
    /// This regex of `none_regex` matches.
    NoneRegex(String),
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::When(field) => write!(f, "the condition `when: {field}` does not hold"),
            Self::Any => f.write_str("no literal of `any` occurs"),
            Self::All(literal) => write!(f, "the literal {literal:?} of `all` does not occur"),
            Self::None(literal) => write!(f, "the literal {literal:?} of `none` occurs"),
            Self::Regex => f.write_str("no regex of `regex` matches"),
            Self::NoneRegex(regex) => write!(f, "the regex `{regex}` of `none_regex` matches"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}` (line {}): ", self.rule, self.at_line)?;
        match &self.why {
            Why::Misses(miss) => write!(f, "does not match its example: {miss}")?,
            Why::Loses { to, because } => {
                write!(f, "its example is decided by `{to}`, which {because}")?;
            }
            Why::Matches => f.write_str("matches a line of its `no_match`")?,
        }
        write!(f, "\n    {:?}", self.example)
    }
}

/// Something about a rule that deserves a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The rule.
    pub rule: String,
    /// Line of the pack's file where that rule begins, counted from 1.
    pub at_line: u64,
    /// What about it.
    pub about: Doubt,
}

/// What deserves a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It has no `match` line, so that nothing shows that it works.
    Untested,
    /// None of its `match` lines is decided by it: this rule takes them all.
    Shadowed(String),
    /// The only literals it requires are in very many lines, so that it is looked at too often.
    CommonLiterals(Vec<String>),
    /// It requires no literal at all, so that it is looked at for every line.
    NoLiteral,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}` (line {}): ", self.rule, self.at_line)?;
        match &self.about {
            Doubt::Untested => {
                f.write_str("has no `match` line, so that nothing shows that it works")
            }
            Doubt::Shadowed(by) => {
                write!(f, "never decides its own `match` lines: `{by}` takes them")
            }
            Doubt::CommonLiterals(literals) => {
                write!(
                    f,
                    "requires only common literals ({}): costs time on many lines",
                    literals.join(", ")
                )
            }
            Doubt::NoLiteral => f.write_str("requires no literal: costs time on every line"),
        }
    }
}

/// Runs all example lines of a pack, each as a whole line with its header read as in real use. Where a rule has conditions
/// on the container, its image, labels or stream, the line comes from one that fits.
///
/// # Errors
/// Where the pack's rules cannot be compiled together.
pub fn test_pack(pack: &Pack) -> Result<TestReport, PackError> {
    let set = RuleSet::compile(pack)?;
    let mut scratch = Scratch::default();
    let mut report = TestReport {
        rules: pack.rules().len(),
        ..TestReport::default()
    };
    let keys = set.keys();
    for (index, rule) in pack.rules().iter().enumerate() {
        let origin = Origin::fitting(rule);
        let conditions = Conditions::new(rule);
        let fail = |example: &str, why| Failure {
            rule: rule.id.clone(),
            at_line: rule.at_line,
            example: example.to_owned(),
            why,
        };
        let doubt = |about| Warning {
            rule: rule.id.clone(),
            at_line: rule.at_line,
            about,
        };
        let mut losses = Vec::new();
        for example in &rule.matches {
            report.examples += 1;
            let header = header::parse(example.as_bytes(), &TimeContext::default());
            let input = origin.input(example.as_bytes(), &header);
            if let Some(miss) = conditions.miss(&input) {
                report.failures.push(fail(example, Why::Misses(miss)));
                continue;
            }
            let winner = set
                .decide(&mut scratch, &input)
                .map(|decision| decision.rule);
            let Some(winner) = winner.filter(|winner| *winner != index) else {
                continue;
            };
            let to = set.rule_id(winner).to_owned();
            losses.push(to.clone());
            let because = precedence(&pack.rules()[winner], rule);
            report
                .failures
                .push(fail(example, Why::Loses { to, because }));
        }
        for example in &rule.no_match {
            report.examples += 1;
            let header = header::parse(example.as_bytes(), &TimeContext::default());
            if conditions
                .miss(&origin.input(example.as_bytes(), &header))
                .is_none()
            {
                report.failures.push(fail(example, Why::Matches));
            }
        }
        if rule.matches.is_empty() {
            report.warnings.push(doubt(Doubt::Untested));
        } else if losses.len() == rule.matches.len()
            && losses.windows(2).all(|pair| pair[0] == pair[1])
        {
            report
                .warnings
                .push(doubt(Doubt::Shadowed(losses.swap_remove(0))));
        }
        match keys.get(index) {
            Some(key) if key.literals.is_empty() => report.warnings.push(doubt(Doubt::NoLiteral)),
            Some(key) if key.is_common() => {
                report
                    .warnings
                    .push(doubt(Doubt::CommonLiterals(key.literals.clone())));
            }
            _ => {}
        }
    }
    Ok(report)
}

/// Why `first` comes before `second`.
fn precedence(first: &Rule, second: &Rule) -> &'static str {
    if first.priority > second.priority {
        "has a higher priority"
    } else if first.category < second.category {
        "has a category that comes first in the taxonomy"
    } else {
        "comes first in the file"
    }
}

/// Where an example line pretends to come from.
struct Origin {
    stream: crate::event::Stream,
    container: Option<String>,
    image: Option<String>,
    labels: Vec<(String, String)>,
}

impl Origin {
    fn fitting(rule: &Rule) -> Self {
        Self {
            stream: rule.when.stream.first().copied().unwrap_or_default(),
            container: rule.when.container.first().map(super::glob::Glob::sample),
            image: rule.when.image.first().map(super::glob::Glob::sample),
            labels: rule
                .when
                .labels
                .iter()
                .map(|(name, globs)| {
                    (
                        name.clone(),
                        globs
                            .first()
                            .map_or_else(String::new, super::glob::Glob::sample),
                    )
                })
                .collect(),
        }
    }

    fn input<'a>(&'a self, line: &'a [u8], header: &'a header::Header<'_>) -> RuleInput<'a> {
        RuleInput {
            line,
            message: &header.message,
            logger: header.logger.as_deref(),
            level: header.level,
            stream: self.stream,
            container: self.container.as_deref(),
            image: self.image.as_deref(),
            labels: &self.labels,
        }
    }
}

/// A rule's conditions, tried one by one without any of the engine's short cuts.
struct Conditions<'a> {
    rule: &'a Rule,
    any: Vec<Needle>,
    all: Vec<Needle>,
    none: Vec<Needle>,
    regex: Vec<Pattern>,
    none_regex: Vec<Pattern>,
}

impl<'a> Conditions<'a> {
    fn new(rule: &'a Rule) -> Self {
        let needles = |texts: &[String]| {
            texts
                .iter()
                .map(|text| Needle::new(text, rule.fold))
                .collect()
        };
        let patterns = |texts: &[String]| {
            texts
                .iter()
                .map(|text| Pattern::new(text, rule.fold))
                .collect()
        };
        Self {
            rule,
            any: needles(&rule.any),
            all: needles(&rule.all),
            none: needles(&rule.none),
            regex: patterns(&rule.regex),
            none_regex: patterns(&rule.none_regex),
        }
    }

    /// The first condition that does not hold.
    fn miss(&self, input: &RuleInput<'_>) -> Option<Miss> {
        let text = match self.rule.scope {
            Scope::Line => input.line,
            Scope::Message => input.message,
        };
        if let Some(field) = self.rule.when.miss(input) {
            return Some(Miss::When(field));
        }
        if !self.any.is_empty() && !self.any.iter().any(|needle| needle.is_in(text)) {
            return Some(Miss::Any);
        }
        if let Some(index) = self.all.iter().position(|needle| !needle.is_in(text)) {
            return Some(Miss::All(self.rule.all[index].clone()));
        }
        if let Some(index) = self.none.iter().position(|needle| needle.is_in(text)) {
            return Some(Miss::None(self.rule.none[index].clone()));
        }
        if !self.regex.is_empty() && !self.regex.iter().any(|regex| regex.is_match(text)) {
            return Some(Miss::Regex);
        }
        let index = self
            .none_regex
            .iter()
            .position(|regex| regex.is_match(text))?;
        Some(Miss::NoneRegex(self.rule.none_regex[index].clone()))
    }
}
