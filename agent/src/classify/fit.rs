//! A head for categories that the model was not trained for, fitted to a pack's examples in the agent itself.
//!
//! Multinomial logistic regression over the model's features with an L2 penalty, by gradient descent with momentum (Nesterov,
//! 1983). How far it can be trusted is measured on examples that it was not fitted to (5 folds), and a logistic regression
//! over the evidence turns that into a probability (Platt, 1999), as the training of the project's own model does.

use std::collections::BTreeMap;

use super::examples::Examples;
use super::model::{Judging, Nearest};

/// Parts of the examples that are kept apart in turn.
const FOLDS: usize = 5;
const STEPS: usize = 200;
const RATE: f32 = 4.0;
const MOMENTUM: f32 = 0.9;
const PENALTY: f32 = 1e-3;
/// What verdicts above the threshold should be right in, of the examples kept apart.
const WANTED: f32 = 0.9;
/// How the nearest examples vote, as in the project's own model.
const NEAREST: Nearest = Nearest {
    k: 5,
    sharpness: 12.0,
    head_share: 0.5,
};

/// Scores of each class from features.
#[derive(Debug, Default)]
pub(super) struct Head {
    width: usize,
    /// For each class `width` weights and a constant.
    weights: Vec<f32>,
}

impl Head {
    /// Fits a head for `classes` classes to rows and their classes.
    fn fit(rows: &[&[f32]], labels: &[usize], classes: usize) -> Self {
        let width = rows.first().map_or(0, |row| row.len());
        let stride = width + 1;
        let mut head = Self {
            width,
            weights: vec![0.0; classes * stride],
        };
        // Rare classes count as much as frequent ones.
        let mut counts = vec![0.0_f32; classes];
        for label in labels {
            counts[*label] += 1.0;
        }
        let present = counts.iter().filter(|count| **count > 0.0).count().max(1) as f32;
        let mut velocity = vec![0.0_f32; head.weights.len()];
        let mut gradient = vec![0.0_f32; head.weights.len()];
        for _ in 0..STEPS {
            gradient.fill(0.0);
            for (row, label) in rows.iter().zip(labels) {
                let weight = 1.0 / (counts[*label] * present);
                let shares = super::judge::softmax(&head.scores(row));
                for (class, share) in shares.iter().enumerate() {
                    let error = weight * (share - f32::from(u8::from(class == *label)));
                    let slot = &mut gradient[class * stride..(class + 1) * stride];
                    for (sum, value) in slot.iter_mut().zip(*row) {
                        *sum += error * value;
                    }
                    slot[width] += error;
                }
            }
            for ((weight, speed), slope) in
                head.weights.iter_mut().zip(&mut velocity).zip(&gradient)
            {
                *speed = MOMENTUM * *speed - RATE * (slope + PENALTY * *weight);
                *weight += *speed;
            }
        }
        head
    }

    /// The score of each class.
    pub(super) fn scores(&self, row: &[f32]) -> Vec<f32> {
        self.weights
            .chunks_exact(self.width + 1)
            .map(|weights| {
                let sum: f32 = weights
                    .iter()
                    .zip(row)
                    .map(|(weight, value)| weight * value)
                    .sum();
                sum + weights[self.width]
            })
            .collect()
    }
}

/// A head with the way to use it.
pub(super) struct Fitted {
    pub(super) head: Head,
    pub(super) judging: Judging,
    pub(super) examples: Examples,
}

/// Fits a head to texts with their categories and places.
pub(super) fn fit(texts: Vec<(usize, String)>, places: &[Vec<f32>], classes: usize) -> Fitted {
    let labels: Vec<usize> = texts.iter().map(|(label, _)| *label).collect();
    let rows: Vec<&[f32]> = places.iter().map(Vec::as_slice).collect();
    let judging = measure(&texts, &rows, &labels, classes);
    Fitted {
        head: Head::fit(&rows, &labels, classes),
        judging,
        examples: Examples::of(texts, places),
    }
}

/// What a verdict on an example that was kept apart looked like, and whether it was right.
struct Trial {
    evidence: [f32; 4],
    right: bool,
}

fn measure(
    texts: &[(usize, String)],
    rows: &[&[f32]],
    labels: &[usize],
    classes: usize,
) -> Judging {
    let mut trials = Vec::new();
    for fold in 0..FOLDS {
        let kept = |index: usize| index % FOLDS != fold;
        let pick = |wanted: bool| (0..rows.len()).filter(move |index| kept(*index) == wanted);
        let fitted_rows: Vec<&[f32]> = pick(true).map(|index| rows[index]).collect();
        let fitted_labels: Vec<usize> = pick(true).map(|index| labels[index]).collect();
        if fitted_rows.is_empty() {
            continue;
        }
        let head = Head::fit(&fitted_rows, &fitted_labels, classes);
        let fitted_texts = pick(true).map(|index| texts[index].clone()).collect();
        let places: Vec<Vec<f32>> = fitted_rows.iter().map(|row| row.to_vec()).collect();
        let examples = Examples::of(fitted_texts, &places);
        for index in pick(false) {
            let scores = head.scores(rows[index]);
            let (mixed, near) =
                super::judge::mix(&scores, rows[index], &examples, &NEAREST, classes);
            let similarity = near.first().map_or(0.0, |(similarity, _)| *similarity);
            let (best, evidence) = super::judge::evidence(&mixed, similarity);
            trials.push(Trial {
                evidence,
                right: best == labels[index],
            });
        }
    }
    let calibration = calibrate(&trials);
    let sure: Vec<(f32, bool)> = trials
        .iter()
        .map(|trial| {
            let confidence = super::judge::confidence(&trial.evidence, &calibration);
            (confidence, trial.right)
        })
        .collect();
    let threshold = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9]
        .into_iter()
        .find(|threshold| {
            let above: Vec<bool> = sure
                .iter()
                .filter(|(confidence, _)| confidence >= threshold)
                .map(|(_, right)| *right)
                .collect();
            let right = above.iter().filter(|right| **right).count() as f32;
            right >= WANTED * above.len() as f32
        })
        .unwrap_or(0.95);
    let mut similarities: Vec<f32> = trials.iter().map(|trial| trial.evidence[3]).collect();
    similarities.sort_by(f32::total_cmp);
    // Farther from every example than nearly all examples are from each other.
    let usual = similarities
        .get(similarities.len() / 20)
        .copied()
        .unwrap_or(0.0);
    Judging {
        nearest: NEAREST,
        calibration,
        thresholds: BTreeMap::from([("default".to_owned(), threshold)]),
        min_similarity: 0.7 * usual,
    }
}

/// Weights of the evidence that make its logistic function the share of right verdicts. With little to go by they stay near
/// the plain log-odds.
fn calibrate(trials: &[Trial]) -> [f32; 4] {
    const PRIOR: [f32; 4] = [0.0, 1.0, 0.0, 0.0];
    const PULL: f32 = 2.0;
    let mut weights = PRIOR;
    let count = trials.len().max(1) as f32;
    for _ in 0..2_000 {
        let mut gradient = [0.0_f32; 4];
        for trial in trials {
            let error = super::judge::confidence(&trial.evidence, &weights)
                - f32::from(u8::from(trial.right));
            for (sum, value) in gradient.iter_mut().zip(trial.evidence) {
                *sum += error * value;
            }
        }
        for ((weight, slope), prior) in weights.iter_mut().zip(gradient).zip(PRIOR) {
            *weight -= 0.2 * (slope + PULL * (*weight - prior)) / count;
        }
    }
    weights
}
