//! From what a pack's file says to what may be run: every mistake is collected with its place.

use std::collections::HashSet;

use serde_saphyr::{Location, Spanned};

use super::{
    blind,
    error::{PackError, Problem, did_you_mean},
    glob::Glob,
    literals::{self, Required},
    pack::{Category, Example, Pack, Rule, Scope, Taxonomy, When},
    pattern,
    raw::{Many, RawCase, RawExample, RawPack, RawRule, RawScope, RawTaxonomy, Text},
};
use crate::{event::Stream, level::Level};

/// Checks a raw pack.
///
/// # Errors
/// All mistakes found.
pub(super) fn check(raw: RawPack) -> Result<Pack, PackError> {
    Checker::default().pack(raw)
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
        let (regex, regex_sets, blind_regex) = self.regexes("regex", raw.regex, fold, at);
        let (none_regex, _, blind_none_regex) =
            self.regexes("none_regex", raw.none_regex, fold, at);
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
            regex_sets,
            blind_regex,
            blind_none_regex,
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
    ) -> (Vec<String>, Vec<Vec<Required>>, Vec<bool>) {
        let mut sets = Vec::with_capacity(texts.0.len());
        let mut blind = Vec::with_capacity(texts.0.len());
        let mut states: u64 = 0;
        for text in &texts.0 {
            match pattern::check(&text.value, fold) {
                Ok(checked) => {
                    states = states.saturating_add(checked.states);
                    sets.push(literals::required(&checked.hir));
                    blind.push(blind::is_blind_regex(&checked.hir));
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
        (strings(texts), sets, blind)
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

pub(super) fn is_name(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 128
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}
