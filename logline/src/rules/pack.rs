//! A checked pack: everything in it is known to be sound.

use super::{
    check::check,
    error::{PackError, Problem, did_you_mean},
    glob::Glob,
    literals::Required,
    raw,
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
    /// The level of lines that state none and whose words tell none.
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
    /// For each of `regex`, the sets of literals that it requires.
    pub(super) regex_sets: Vec<Vec<Required>>,
    /// For each of `regex`, and each of `none_regex`, whether it is blind to numbers.
    pub(super) blind_regex: Vec<bool>,
    pub(super) blind_none_regex: Vec<bool>,
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
        check(raw::read(text)?)
    }

    /// The rules, in the order of the file.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}
