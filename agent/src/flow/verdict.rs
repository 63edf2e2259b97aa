//! What an event is judged to be about, and who judged.

use logline::rules::Decision;

/// Who judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A rule matched the event itself.
    Rule,
    /// No stage decided.
    None,
}

impl Stage {
    /// All stages, in the order of the sieve.
    pub const ALL: [Self; 2] = [Self::Rule, Self::None];

    /// The name in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::None => "none",
        }
    }
}

/// A judgement. Names of category and rule are in the batch's labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Index of the category in the taxonomy; none is `unclassified`.
    pub category: Option<u16>,
    /// Who judged.
    pub stage: Stage,
    /// Probability that the category is right; 0 where there is none.
    pub confidence: f32,
    /// Index of the rule that matched.
    pub rule: Option<u32>,
}

impl Verdict {
    /// Nobody decided.
    pub const UNCLASSIFIED: Self = Self {
        category: None,
        stage: Stage::None,
        confidence: 0.0,
        rule: None,
    };

    /// The judgement of the rule that matched.
    #[must_use]
    pub fn by_rule(decision: &Decision) -> Self {
        Self {
            category: u16::try_from(decision.category).ok(),
            stage: Stage::Rule,
            confidence: decision.confidence,
            rule: u32::try_from(decision.rule).ok(),
        }
    }
}
