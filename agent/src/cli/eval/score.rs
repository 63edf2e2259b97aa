//! Figures of a sieve on labelled lines.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::labelled::Row;

/// Bins of the calibration error.
const BINS: usize = 10;
/// Confidences that the curve shows.
const THRESHOLDS: [f32; 12] = [
    0.0, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9,
];

/// What became of a line.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub(super) row: &'a Row,
    /// The likeliest category, also where nothing was said for certain.
    pub(super) guess: Option<String>,
    pub(super) confidence: f32,
    pub(super) by_rule: bool,
    /// It was said for certain.
    pub(super) sure: bool,
    pub(super) level: &'static str,
    pub(super) why: String,
}

impl Outcome<'_> {
    fn is_right(&self) -> bool {
        let guess = self.guess.as_ref();
        guess.is_some_and(|guess| self.row.categories.contains(guess))
    }

    /// A category was given, and it is not one of those that are right.
    pub(super) fn is_wrong(&self) -> bool {
        self.sure && !self.is_right()
    }
}

/// The figures.
#[derive(Debug, Serialize)]
pub(super) struct Scores {
    pub(super) lines: usize,
    /// Lines that a rule decides.
    pub(super) by_rules: usize,
    /// Right ones, of all.
    pub(super) accuracy: f64,
    /// Decided ones, of all.
    pub(super) coverage: f64,
    /// Right ones, of those decided.
    pub(super) selective: f64,
    /// Mean of the categories' F1; a line that may be of several counts for the one that was said, else for the first.
    pub(super) macro_f1: f64,
    /// Expected calibration error over [`BINS`] bins, of those decided (Guo et al., 2017).
    pub(super) ece: f64,
    /// Lines whose level is right, of those that name one.
    pub(super) level: Option<f64>,
    pub(super) categories: Vec<Category>,
    /// What the model gives on the lines that no rule decides, by threshold.
    pub(super) curve: Vec<Point>,
}

/// One category.
#[derive(Debug, Serialize)]
pub(super) struct Category {
    pub(super) name: String,
    pub(super) lines: usize,
    pub(super) recall: f64,
    pub(super) precision: f64,
}

/// One threshold.
#[derive(Debug, Serialize)]
pub(super) struct Point {
    pub(super) threshold: f32,
    pub(super) coverage: f64,
    pub(super) precision: f64,
}

impl Scores {
    pub(super) fn of(outcomes: &[Outcome<'_>]) -> Self {
        let sure = || outcomes.iter().filter(|outcome| outcome.sure);
        let right = sure().filter(|outcome| outcome.is_right()).count();
        let levels: Vec<bool> = outcomes
            .iter()
            .filter(|outcome| !outcome.row.levels.is_empty())
            .map(|outcome| {
                outcome
                    .row
                    .levels
                    .iter()
                    .any(|level| level == outcome.level)
            })
            .collect();
        let categories = categories(outcomes);
        let f1 = categories.iter().map(|category| {
            share(
                2.0 * category.recall * category.precision,
                category.recall + category.precision,
            )
        });
        Self {
            lines: outcomes.len(),
            by_rules: outcomes.iter().filter(|outcome| outcome.by_rule).count(),
            accuracy: share(right as f64, outcomes.len() as f64),
            coverage: share(sure().count() as f64, outcomes.len() as f64),
            selective: share(right as f64, sure().count() as f64),
            macro_f1: share(f1.sum(), categories.len() as f64),
            ece: ece(outcomes),
            level: (!levels.is_empty()).then(|| {
                let right = levels.iter().filter(|right| **right).count();
                share(right as f64, levels.len() as f64)
            }),
            curve: curve(outcomes),
            categories,
        }
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn categories(outcomes: &[Outcome<'_>]) -> Vec<Category> {
    // name -> lines, right ones, said ones
    let mut counts: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for outcome in outcomes {
        let said = outcome.guess.as_deref().filter(|_| outcome.sure);
        let right = said.filter(|_| outcome.is_right());
        let wanted = right.or(outcome.row.categories.first().map(String::as_str));
        let count = counts.entry(wanted.unwrap_or_default()).or_default();
        count.0 += 1;
        count.1 += usize::from(right.is_some());
        if let Some(said) = said {
            counts.entry(said).or_default().2 += 1;
        }
    }
    let named: BTreeSet<&str> = outcomes
        .iter()
        .flat_map(|outcome| outcome.row.categories.iter().map(String::as_str))
        .collect();
    counts
        .into_iter()
        .filter(|(name, (lines, ..))| *lines > 0 || named.contains(name))
        .map(|(name, (lines, right, said))| Category {
            name: name.to_owned(),
            lines,
            recall: share(right as f64, lines as f64),
            precision: share(right as f64, said as f64),
        })
        .collect()
}

fn ece(outcomes: &[Outcome<'_>]) -> f64 {
    let mut bins = [(0_usize, 0.0_f64, 0_usize); BINS];
    for outcome in outcomes.iter().filter(|outcome| outcome.sure) {
        let confidence = outcome.confidence.clamp(0.0, 1.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Between 0 and BINS.
        let bin = ((confidence * BINS as f32) as usize).min(BINS - 1);
        let (count, sum, right) = &mut bins[bin];
        *count += 1;
        *sum += f64::from(confidence);
        *right += usize::from(outcome.is_right());
    }
    let all: usize = bins.iter().map(|(count, ..)| count).sum();
    let apart = bins
        .iter()
        .map(|(_, sum, right)| (sum - *right as f64).abs());
    share(apart.sum(), all as f64)
}

fn curve(outcomes: &[Outcome<'_>]) -> Vec<Point> {
    let open: Vec<&Outcome<'_>> = outcomes
        .iter()
        .filter(|outcome| !outcome.by_rule && outcome.guess.is_some())
        .collect();
    THRESHOLDS
        .into_iter()
        .map(|threshold| {
            let above = || {
                open.iter()
                    .filter(move |outcome| outcome.confidence >= threshold)
            };
            let right = above().filter(|outcome| outcome.is_right()).count();
            Point {
                threshold,
                coverage: share(above().count() as f64, open.len() as f64),
                precision: share(right as f64, above().count() as f64),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Scores};
    use crate::cli::eval::labelled::Row;

    #[test]
    fn figures_count_abstaining_as_wrong_and_either_label_as_right() {
        let row = |categories: &[&str]| Row {
            categories: categories.iter().map(ToString::to_string).collect(),
            levels: vec!["info".to_owned()],
            line: String::new(),
        };
        let rows = [row(&["a", "b"]), row(&["a"]), row(&["b"]), row(&["b"])];
        let said = [
            (Some("b"), 0.9, true, true),
            (Some("b"), 0.8, false, true),
            (Some("b"), 0.4, false, false),
            (Some("b"), 0.7, false, true),
        ];
        let outcomes: Vec<Outcome<'_>> = rows
            .iter()
            .zip(said)
            .map(|(row, (guess, confidence, by_rule, sure))| Outcome {
                row,
                guess: guess.map(str::to_owned),
                confidence,
                by_rule,
                sure,
                level: if sure { "info" } else { "warn" },
                why: String::new(),
            })
            .collect();
        let scores = Scores::of(&outcomes);
        let near = |value: f64, wanted: f64| assert!((value - wanted).abs() < 1e-6, "{scores:?}");
        near(scores.accuracy, 0.5);
        near(scores.coverage, 0.75);
        near(scores.selective, 2.0 / 3.0);
        near(scores.level.unwrap(), 0.75);
        // a: nothing found; b: 2 of 3 found, 2 of 3 right.
        near(scores.macro_f1, (2.0 / 3.0) / 2.0);
        near(scores.ece, (0.1 + 0.8 + 0.3) / 3.0);
        near(scores.curve[0].coverage, 1.0);
        near(scores.curve[0].precision, 2.0 / 3.0);
        assert_eq!(scores.by_rules, 1);
    }
}
