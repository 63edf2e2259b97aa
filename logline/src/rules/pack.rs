//! A checked pack: everything in it is known to be sound.

use std::collections::HashSet;

use serde_saphyr::{Location, Spanned};

use super::{
    error::{PackError, Problem, nearest},
    glob::Glob,
    literals::{self, Required},
    pattern,
    raw::{Many, RawCase, RawExample, RawPack, RawRule, RawScope, RawTaxonomy, Text},
};
use crate::{event::Stream, level::Level};

/// A taxonomy with its rules and examples.
#[derive(Clone, Debug)]
pub struct Pack {
    /// The pack's name, as in its file.
    pub name: String,
    /// The categories.
    pub taxonomy: Taxonomy,
    /// Lines with their right answer, beyond those of the rules.
    pub examples: Vec<Example>,
    pub(super) rules: Vec<Rule>,
}

/// The categories, in order of precedence: where several fit, the first wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taxonomy {
    /// Counted up when the meaning of categories changes.
    pub version: u32,
    /// The categories; at least one, at most [`Pack::MAX_CATEGORIES`].
    pub categories: Vec<Category>,
    /// How unclear cases are decided, in words.
    pub rulings: Vec<String>,
}

impl Taxonomy {
    /// Index of the category called `id`.
    #[must_use]
    pub fn index_of(&self, id: &str) -> Option<usize> {
        self.categories
            .iter()
            .position(|category| category.id == id)
    }
}

/// One category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Its name in every output.
    pub id: String,
    /// What belongs to it.
    pub means: String,
    /// What does not, though it may seem so.
    pub not: Option<String>,
}

/// A line with its right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The line.
    pub text: String,
    /// Index of its category in the taxonomy.
    pub category: usize,
    /// Its level, where the example tells one.
    pub level: Option<Level>,
}

/// Which text a rule reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The event's whole text.
    Line,
    /// The message that the header left over.
    Message,
}

/// One rule, checked.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, unique in the pack.
    pub id: String,
    /// Index of its category in the taxonomy.
    pub category: usize,
    /// The level of lines that state none.
    pub level: Option<Level>,
    /// Higher goes first.
    pub priority: i32,
    /// How sure a match makes, 0 to 1.
    pub confidence: f32,
    /// Which text it reads.
    pub scope: Scope,
    /// Lines that this rule must decide.
    pub matches: Vec<String>,
    /// Lines that this rule must not match.
    pub no_match: Vec<String>,
    /// Line of the pack's file where it begins, counted from 1.
    pub at_line: u64,
    /// Whether ASCII case does not count.
    pub(super) fold: bool,
    pub(super) any: Vec<String>,
    pub(super) all: Vec<String>,
    pub(super) none: Vec<String>,
    pub(super) regex: Vec<String>,
    pub(super) none_regex: Vec<String>,
    /// Literals of which one occurs wherever one of `regex` matches.
    pub(super) regex_required: Option<Required>,
    pub(super) when: When,
}

/// Conditions on fields; an empty list is no condition.
#[derive(Clone, Debug, Default)]
pub(super) struct When {
    pub(super) logger: Vec<Glob>,
    pub(super) level: Vec<Level>,
    pub(super) stream: Vec<Stream>,
    pub(super) container: Vec<Glob>,
    pub(super) image: Vec<Glob>,
    pub(super) labels: Vec<(String, Vec<Glob>)>,
}

impl When {
    /// Whether there is no condition at all.
    pub(super) fn is_empty(&self) -> bool {
        self.logger.is_empty()
            && self.level.is_empty()
            && self.stream.is_empty()
            && self.container.is_empty()
            && self.image.is_empty()
            && self.labels.is_empty()
    }
}

impl Pack {
    /// Files larger than this are refused unread, in bytes.
    pub const MAX_BYTES: usize = 4 * 1024 * 1024;
    /// The most categories of a taxonomy.
    pub const MAX_CATEGORIES: usize = 256;
    /// The most rules of a pack.
    pub const MAX_RULES: usize = 10_000;
    /// The longest literal, in bytes.
    pub const MAX_LITERAL: usize = 256;
    /// How sure a rule is that does not say it.
    pub const CONFIDENCE: f32 = 0.97;
    /// The names of the packs that are built in.
    pub const BUILTIN: [&'static str; 2] = ["general", "openstack"];

    /// The text of the built-in pack called `name`.
    #[must_use]
    pub fn builtin_source(name: &str) -> Option<&'static str> {
        match name {
            "general" => Some(include_str!("../../../rules/general.yaml")),
            "openstack" => Some(include_str!("../../../rules/openstack.yaml")),
            _ => None,
        }
    }

    /// The built-in pack called `name`, one of [`Self::BUILTIN`].
    ///
    /// # Errors
    /// Where there is no such pack. (A built-in pack that is itself not sound fails the project's tests.)
    pub fn builtin(name: &str) -> Result<Self, PackError> {
        let Some(text) = Self::builtin_source(name) else {
            return Err(PackError::one(Problem {
                line: 0,
                column: 0,
                rule: None,
                message: format!("there is no built-in pack `{name}`"),
                help: Some(did_you_mean(name, &Self::BUILTIN)),
            }));
        };
        Self::parse(text.as_bytes())
    }

    /// Reads and checks the text of a pack's file.
    ///
    /// # Errors
    /// All mistakes found, with line and column; a mistake of YAML or of shape is reported alone, as nothing behind it
    /// can be relied on.
    pub fn parse(text: &[u8]) -> Result<Self, PackError> {
        Checker::default().pack(super::raw::read(text)?)
    }

    /// The rules, in the order of the file.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

/// The hint for a misspelt name: the nearest one, and all that are allowed.
pub(super) fn did_you_mean(wrong: &str, allowed: &[&str]) -> String {
    let list = allowed.join(", ");
    match nearest(wrong, allowed.iter().copied()) {
        Some(word) => format!("did you mean `{word}`? allowed: {list}"),
        None => format!("allowed: {list}"),
    }
}

/// Collects mistakes while a raw pack becomes a checked one.
#[derive(Default)]
struct Checker {
    problems: Vec<Problem>,
    rule: Option<String>,
}

impl Checker {
    fn wrong(&mut self, at: Location, message: impl Into<String>, help: Option<String>) {
        self.problems.push(Problem {
            line: at.line(),
            column: at.column(),
            rule: self.rule.clone(),
            message: message.into(),
            help,
        });
    }

    fn pack(mut self, raw: RawPack) -> Result<Pack, PackError> {
        if raw.version.value != 1 {
            self.wrong(
                raw.version.referenced,
                format!(
                    "version {} of the pack format is not known",
                    raw.version.value
                ),
                Some("allowed: 1".to_owned()),
            );
        }
        if raw.name.value.is_empty() {
            self.wrong(raw.name.referenced, "the pack's name is empty", None);
        }
        let taxonomy = self.taxonomy(raw.taxonomy);
        if let Some(first) = raw.rules.get(Pack::MAX_RULES) {
            let count = raw.rules.len();
            self.wrong(
                first.referenced,
                format!("{count} rules, and at most {} are allowed", Pack::MAX_RULES),
                None,
            );
        }
        let mut ids = HashSet::new();
        let mut rules = Vec::with_capacity(raw.rules.len().min(Pack::MAX_RULES));
        for rule in raw.rules.into_iter().take(Pack::MAX_RULES) {
            let at = rule.referenced;
            let id = rule.value.id.clone();
            self.rule = Some(id.value.clone());
            if !ids.insert(id.value.clone()) {
                self.wrong(id.referenced, "a rule before has the same id", None);
            }
            if !is_name(&id.value) {
                self.wrong(
                    id.referenced,
                    "the id is not a name",
                    Some("allowed: letters, digits, `.`, `-` and `_`, at most 128".to_owned()),
                );
            }
            rules.push(self.rule(rule.value, at, &taxonomy));
            self.rule = None;
        }
        let examples = raw
            .examples
            .into_iter()
            .map(|example| self.example(example.value, &taxonomy))
            .collect();
        if self.problems.is_empty() {
            Ok(Pack {
                name: raw.name.value,
                taxonomy,
                examples,
                rules,
            })
        } else {
            Err(PackError::many(self.problems))
        }
    }

    fn taxonomy(&mut self, raw: RawTaxonomy) -> Taxonomy {
        let at = raw.categories.referenced;
        if raw.categories.value.is_empty() {
            self.wrong(at, "the taxonomy has no categories", None);
        }
        let count = raw.categories.value.len();
        if count > Pack::MAX_CATEGORIES {
            self.wrong(
                at,
                format!(
                    "{count} categories, and at most {} are allowed",
                    Pack::MAX_CATEGORIES
                ),
                None,
            );
        }
        let mut categories: Vec<Category> = Vec::new();
        for category in raw.categories.value.into_iter().take(Pack::MAX_CATEGORIES) {
            let Spanned {
                value: id,
                referenced: at,
                ..
            } = category.id;
            if !is_name(&id) {
                self.wrong(
                    at,
                    format!("category `{id}`: the id is not a name"),
                    Some("allowed: letters, digits, `.`, `-` and `_`, at most 128".to_owned()),
                );
            }
            if id == "unclassified" {
                self.wrong(
                    at,
                    "category `unclassified` stands for no category and cannot be defined",
                    None,
                );
            }
            if categories.iter().any(|before| before.id == id) {
                self.wrong(
                    at,
                    format!("category `{id}`: a category before has the same id"),
                    None,
                );
            }
            categories.push(Category {
                id,
                means: category.means,
                not: category.not,
            });
        }
        Taxonomy {
            version: raw.version,
            categories,
            rulings: raw.rulings,
        }
    }

    fn rule(&mut self, raw: RawRule, at: Location, taxonomy: &Taxonomy) -> Rule {
        let fold = raw.case == RawCase::Ignore;
        let category = self.category(&raw.category, taxonomy);
        let level = raw
            .level
            .as_ref()
            .and_then(|level| self.level(&level.value, level.referenced));
        let confidence = raw.confidence.map_or(Pack::CONFIDENCE, |confidence| {
            if !(0.0..=1.0).contains(&confidence.value) {
                self.wrong(
                    confidence.referenced,
                    format!("confidence {} is out of range", confidence.value),
                    Some("allowed: 0 to 1".to_owned()),
                );
            }
            confidence.value
        });
        if raw.any.0.is_empty() && raw.all.0.is_empty() && raw.regex.0.is_empty() {
            self.wrong(
                at,
                "it has no condition of its own",
                Some("at least one of `any`, `all` and `regex` is needed".to_owned()),
            );
        }
        let any = self.literals("any", raw.any, at);
        let all = self.literals("all", raw.all, at);
        let none = self.literals("none", raw.none, at);
        let (regex, regex_required) = self.regexes("regex", raw.regex, fold, at);
        let (none_regex, _) = self.regexes("none_regex", raw.none_regex, fold, at);
        let mut when = When {
            logger: globs(&raw.when.logger),
            container: globs(&raw.when.container),
            image: globs(&raw.when.image),
            labels: raw
                .when
                .labels
                .iter()
                .map(|(name, values)| (name.clone(), globs(values)))
                .collect(),
            ..When::default()
        };
        for text in raw.when.level.0 {
            when.level
                .extend(self.level(&text.value, known(text.at, at)));
        }
        for text in raw.when.stream.0 {
            match text.value.as_str() {
                "stdout" => when.stream.push(Stream::Stdout),
                "stderr" => when.stream.push(Stream::Stderr),
                other => {
                    let help = did_you_mean(other, &["stdout", "stderr"]);
                    self.wrong(
                        known(text.at, at),
                        format!("`{other}` is not a stream"),
                        Some(help),
                    );
                }
            }
        }
        Rule {
            id: raw.id.value,
            category,
            level,
            priority: raw.priority,
            confidence,
            scope: match raw.on {
                RawScope::Line => Scope::Line,
                RawScope::Message => Scope::Message,
            },
            matches: strings(raw.matches),
            no_match: strings(raw.no_match),
            at_line: at.line(),
            fold,
            any,
            all,
            none,
            regex,
            none_regex,
            regex_required,
            when,
        }
    }

    fn example(&mut self, raw: RawExample, taxonomy: &Taxonomy) -> Example {
        Example {
            text: raw.text,
            category: self.category(&raw.category, taxonomy),
            level: raw
                .level
                .and_then(|level| self.level(&level.value, level.referenced)),
        }
    }

    fn category(&mut self, id: &Spanned<String>, taxonomy: &Taxonomy) -> usize {
        taxonomy.index_of(&id.value).unwrap_or_else(|| {
            let names: Vec<&str> = taxonomy
                .categories
                .iter()
                .map(|category| category.id.as_str())
                .collect();
            self.wrong(
                id.referenced,
                format!("`{}` is not a category of this taxonomy", id.value),
                Some(did_you_mean(&id.value, &names)),
            );
            0
        })
    }

    fn level(&mut self, name: &str, at: Location) -> Option<Level> {
        let level = Level::ALL.into_iter().find(|level| level.as_str() == name);
        if level.is_none() {
            let help = did_you_mean(name, &Level::ALL.map(Level::as_str));
            self.wrong(at, format!("`{name}` is not a level"), Some(help));
        }
        level
    }

    fn literals(&mut self, key: &str, texts: Many<Text>, rule: Location) -> Vec<String> {
        for text in &texts.0 {
            if text.value.is_empty() {
                self.wrong(
                    known(text.at, rule),
                    format!("an empty literal in `{key}` is found in every line"),
                    None,
                );
            }
            if text.value.len() > Pack::MAX_LITERAL {
                let message = format!(
                    "a literal in `{key}` has {} bytes, and at most {} are allowed",
                    text.value.len(),
                    Pack::MAX_LITERAL
                );
                self.wrong(known(text.at, rule), message, None);
            }
        }
        strings(texts)
    }

    fn regexes(
        &mut self,
        key: &str,
        texts: Many<Text>,
        fold: bool,
        rule: Location,
    ) -> (Vec<String>, Option<Required>) {
        let mut required = Some(Required::new());
        let mut states: u64 = 0;
        for text in &texts.0 {
            match pattern::check(&text.value, fold) {
                Ok(checked) => {
                    states = states.saturating_add(checked.states);
                    required = match (required, literals::required(&checked.hir)) {
                        (Some(mut set), Some(more)) => {
                            set.extend(more);
                            Some(set)
                        }
                        _ => None,
                    };
                }
                Err(error) => {
                    let message = format!("{key} `{}`: {error}", shortened(&text.value));
                    self.wrong(known(text.at, rule), message, None);
                }
            }
        }
        if states > pattern::MAX_STATES {
            let message = format!(
                "the regexes of `{key}` need {states} states together once their counted repetitions are multiplied out, \
                 and at most {} are allowed",
                pattern::MAX_STATES
            );
            self.wrong(rule, message, Some("split the rule".to_owned()));
        }
        (strings(texts), required.filter(|set| !set.is_empty()))
    }
}

/// A text's own place, or that of the rule where the reader does not tell it.
fn known(at: Location, rule: Location) -> Location {
    if at == Location::UNKNOWN { rule } else { at }
}

fn globs(texts: &Many<Text>) -> Vec<Glob> {
    texts.0.iter().map(|text| Glob::new(&text.value)).collect()
}

fn strings(texts: Many<Text>) -> Vec<String> {
    texts.0.into_iter().map(|text| text.value).collect()
}

/// The beginning of a long text for a message.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn is_name(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 128
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}
