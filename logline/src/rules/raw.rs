//! A pack as its YAML file spells it, before anything is checked but shape and key names.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor, value::StrDeserializer},
};
use serde_saphyr::{
    Error, Location, MessageFormatter, Spanned, UserMessageFormatter, budget::BudgetBreach,
};

use super::{
    error::{PackError, Problem, did_you_mean},
    pack::Pack,
};

/// Reads YAML into a raw pack.
///
/// # Errors
/// The first mistake of YAML, of shape or of a key's name.
pub(super) fn read(text: &[u8]) -> Result<RawPack, PackError> {
    let whole_file = |message: String, help: Option<&str>| {
        PackError::one(Problem {
            line: 0,
            column: 0,
            rule: None,
            message,
            help: help.map(str::to_owned),
        })
    };
    if text.len() > Pack::MAX_BYTES {
        return Err(whole_file(
            format!(
                "the file has {} bytes, and at most {} are allowed",
                text.len(),
                Pack::MAX_BYTES
            ),
            None,
        ));
    }
    let text = std::str::from_utf8(text).map_err(|error| {
        let good = &text[..error.valid_up_to()];
        let line_start = memchr::memrchr(b'\n', good).map_or(0, |at| at + 1);
        PackError::one(Problem {
            line: memchr::memchr_iter(b'\n', good).count() as u64 + 1,
            column: (error.valid_up_to() - line_start) as u64 + 1,
            rule: None,
            message: "the file is not UTF-8 here".to_owned(),
            help: None,
        })
    })?;
    if text
        .lines()
        .all(|line| line.trim_start().starts_with('#') || line.trim().is_empty())
    {
        return Err(whole_file(
            "the file is empty".to_owned(),
            Some("needed: version, name and taxonomy"),
        ));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 16,
            flow_nesting_limit: 16,
            max_events: 2_000_000,
            max_nodes: 500_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_documents: 1,
            max_inclusion_depth: 0,
            max_buffered_comment_events: 10_000,
        },
        with_snippet: false,
        emit_comments: false,
    };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| PackError::one(problem(&error)))
}

/// The reader's error in the words of a pack.
fn problem(error: &Error) -> Problem {
    let (message, help) = match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => (
            format!("unknown key `{field}`"),
            Some(did_you_mean(field, expected)),
        ),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => (
            format!("`{variant}` is not allowed here"),
            Some(did_you_mean(variant, expected)),
        ),
        Error::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing"), None),
        Error::SerdeInvalidType {
            unexpected,
            expected,
            ..
        } => (
            format!("{unexpected} stands where {expected} is needed"),
            None,
        ),
        Error::Unexpected { expected, .. } => {
            let needed = match *expected {
                "mapping start" => "a mapping (`key: value`)",
                "string scalar" => "a string",
                "sequence start" => "a list",
                other => other,
            };
            (format!("{needed} is needed here"), None)
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("the key `{key}` stands here a second time"), None)
        }
        Error::InvalidScalar { ty, .. } => {
            let needed = match *ty {
                "i32" => "a whole number",
                "u32" => "a whole number, not negative,",
                "f32" => "a number",
                other => other,
            };
            (format!("{needed} is needed here"), None)
        }
        Error::Budget {
            breach: BudgetBreach::Documents { .. },
            ..
        } => (
            "a second YAML document begins here, and a pack is one".to_owned(),
            None,
        ),
        other => (
            UserMessageFormatter.format_message(other).into_owned(),
            None,
        ),
    };
    let at = error.location().unwrap_or(Location::UNKNOWN);
    Problem {
        line: at.line(),
        column: at.column(),
        rule: None,
        message,
        help,
    }
}

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPack {
    pub(super) version: Spanned<u32>,
    pub(super) name: Spanned<String>,
    pub(super) taxonomy: RawTaxonomy,
    #[serde(default)]
    pub(super) rules: Vec<Spanned<RawRule>>,
    #[serde(default)]
    pub(super) examples: Vec<Spanned<RawExample>>,
}

/// The categories.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTaxonomy {
    pub(super) version: u32,
    pub(super) categories: Spanned<Vec<RawCategory>>,
    #[serde(default)]
    pub(super) rulings: Vec<String>,
}

/// One category.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCategory {
    pub(super) id: Spanned<String>,
    pub(super) means: String,
    #[serde(default)]
    pub(super) not: Option<String>,
}

/// One rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    pub(super) id: Spanned<String>,
    pub(super) category: Spanned<String>,
    pub(super) level: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) priority: i32,
    pub(super) confidence: Option<Spanned<f32>>,
    #[serde(default)]
    pub(super) on: RawScope,
    #[serde(default)]
    pub(super) case: RawCase,
    #[serde(default)]
    pub(super) any: Many<Text>,
    #[serde(default)]
    pub(super) all: Many<Text>,
    #[serde(default)]
    pub(super) none: Many<Text>,
    #[serde(default)]
    pub(super) regex: Many<Text>,
    #[serde(default)]
    pub(super) none_regex: Many<Text>,
    #[serde(default)]
    pub(super) when: RawWhen,
    #[serde(default, rename = "match")]
    pub(super) matches: Many<Text>,
    #[serde(default)]
    pub(super) no_match: Many<Text>,
}

/// The conditions on fields.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWhen {
    #[serde(default)]
    pub(super) logger: Many<Text>,
    #[serde(default)]
    pub(super) level: Many<Text>,
    #[serde(default)]
    pub(super) stream: Many<Text>,
    #[serde(default)]
    pub(super) container: Many<Text>,
    #[serde(default)]
    pub(super) image: Many<Text>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, Many<Text>>,
}

/// Which text a rule reads.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawScope {
    #[default]
    Line,
    Message,
}

/// Whether `a` and `A` are one letter.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawCase {
    #[default]
    Ignore,
    Sensitive,
}

/// A line with its right answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExample {
    pub(super) text: String,
    pub(super) category: Spanned<String>,
    pub(super) level: Option<Spanned<String>>,
}

/// A string with its place, where the YAML reader tells it.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) at: Location,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self {
            value: spanned.value,
            at: spanned.referenced,
        })
    }
}

/// A list, or a single string that stands for a list of one.
#[derive(Debug)]
pub(super) struct Many<T>(pub(super) Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Many<Text> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany(PhantomData<Text>);
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Many<Text>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Self::Value, E> {
                let value = String::deserialize(StrDeserializer::<E>::new(value))?;
                Ok(Many(vec![Text {
                    value,
                    at: Location::UNKNOWN,
                }]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Many(items))
            }
        }
        deserializer.deserialize_any(OneOrMany(PhantomData))
    }
}
