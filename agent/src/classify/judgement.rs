//! What a template is judged to be about, and who said so.

use super::llm;

/// Who judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A rule matched the event itself.
    Rule,
    /// The template had been judged before the event came.
    Memo,
    /// The BERT, for this event's template.
    Bert,
    /// The LLM, likewise.
    Llm,
    /// A person.
    Taught,
    /// The template's verdict had not come when the event had to go on.
    Pending,
    /// No stage decided.
    None,
}

impl Stage {
    /// All stages, in the order of the sieve.
    pub const ALL: [Self; 7] = [
        Self::Rule,
        Self::Memo,
        Self::Bert,
        Self::Llm,
        Self::Taught,
        Self::Pending,
        Self::None,
    ];

    /// The name in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Memo => "memo",
            Self::Bert => "bert",
            Self::Llm => "llm",
            Self::Taught => "taught",
            Self::Pending => "pending",
            Self::None => "none",
        }
    }
}

/// The verdict on a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The category's name; none: whoever judged abstained, and the events are `unclassified`.
    pub category: Option<String>,
    /// Who judged: the BERT, the LLM or a person.
    pub stage: Stage,
    /// The probability that the category is right; where it was abstained, that of the likeliest one.
    pub confidence: f32,
    /// Why, in one line for people.
    pub reason: String,
    /// What tells the model and the taxonomy from others.
    pub version: String,
    /// The text that was judged.
    pub asked: String,
}

impl Judgement {
    /// The part of the version that names the taxonomy.
    #[must_use]
    pub fn taxonomy(&self) -> &str {
        self.version.rsplit('/').next().unwrap_or_default()
    }

    /// Whether a person has said so, which nothing else overrules.
    #[must_use]
    pub fn is_taught(&self) -> bool {
        self.stage == Stage::Taught
    }
}

impl From<llm::Answer> for Judgement {
    fn from(answer: llm::Answer) -> Self {
        Self {
            category: answer.category,
            stage: Stage::Llm,
            confidence: answer.confidence,
            reason: answer.reason,
            version: format!("{}/{}", answer.model, answer.taxonomy),
            asked: answer.asked,
        }
    }
}

/// Where a text lies among all texts: a vector of length 1 as signed bytes, which keep its direction within one percent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vector {
    /// What each code is multiplied by.
    pub scale: f32,
    /// The codes.
    pub codes: Vec<i8>,
}

impl Vector {
    /// The nearest vector of bytes to `values`.
    #[must_use]
    pub fn of(values: &[f32]) -> Self {
        let most = values
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        if most <= 0.0 || !most.is_finite() {
            return Self::default();
        }
        let scale = most / f32::from(i8::MAX);
        #[allow(clippy::cast_possible_truncation)] // At most 127 by the choice of the scale.
        let codes = values
            .iter()
            .map(|value| (value / scale).round() as i8)
            .collect();
        Self { scale, codes }
    }

    /// How alike it is to `other`, both of length 1: 1 is the same direction.
    #[must_use]
    pub fn similarity(&self, other: &[f32]) -> f32 {
        let sum: f32 = self
            .codes
            .iter()
            .zip(other)
            .map(|(code, value)| f32::from(*code) * value)
            .sum();
        sum * self.scale
    }
}
