//! What an event is judged to be about, and who judged.

use logline::rules::Decision;

use crate::classify::{Judgement, Stage};

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
    /// The verdict on an event's template; `category` is its number in the batch's labels, and `stage` says whether the
    /// template was judged for this event or before.
    #[must_use]
    pub fn by_judgement(judgement: &Judgement, category: Option<u16>, stage: Stage) -> Self {
        Self {
            category,
            stage,
            confidence: judgement.confidence,
            rule: None,
        }
    }
}
