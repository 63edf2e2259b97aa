//! From what the model says of a text to a verdict: the same steps as `model/judge.py`, which the calibration was fitted on.
//!
//! The model's scores and the votes of the nearest examples are mixed; how sure the best class is comes from its log-odds, its
//! margin and the similarity of the nearest example. Below the class's threshold, or far from every example, nothing is said.

use std::path::Path;

use super::model::{Inference, Judging, Model, ModelError};

/// Probabilities are kept this far from 0 and 1 before their log-odds are taken.
const CLIP: f32 = 1e-4;
/// Between the parts of a text.
const JOIN: &str = " | ";

/// What the model says a text is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The most likely class, also where nothing is said for certain.
    pub category: String,
    /// The probability that it is right.
    pub confidence: f32,
    /// Why the model abstains; none: it does not.
    pub doubt: Option<String>,
    /// The example that is most alike, with its category.
    pub nearest: (String, String),
    /// How alike it is: 1 is the same.
    pub similarity: f32,
}

/// A model with its examples and its calibration.
pub struct Judge {
    model: Model,
    judging: Judging,
    examples: Examples,
}

impl Judge {
    /// Loads the project's own model from `directory`. See [`Model::open`].
    ///
    /// # Errors
    /// A [`ModelError`] that names the file, what is wrong with it, and what to do.
    pub fn open(
        directory: &Path,
        runtime: Option<&Path>,
        threads: usize,
    ) -> Result<Self, ModelError> {
        let model = Model::open(directory, runtime, threads)?;
        let Some(judging) = model.config().judging.clone() else {
            return Err(ModelError::new(
                &directory.join("config.json"),
                "does not say how a verdict is made (`nearest`, `calibration`, `thresholds`)"
                    .to_owned(),
                "make the model anew (make model)",
            ));
        };
        let examples = Examples::read(directory, &model.config().labels)?;
        Ok(Self {
            model,
            judging,
            examples,
        })
    }

    /// What tells this model from every other.
    #[must_use]
    pub fn version(&self) -> &str {
        self.model.version()
    }

    /// One verdict for each text, in their order. [`text_of`] makes the texts.
    ///
    /// # Errors
    /// Where the model fails or gives numbers that are none.
    pub fn verdicts(&mut self, texts: &[&str]) -> Result<Vec<Verdict>, ModelError> {
        let said = self.model.infer(texts)?;
        Ok(said.iter().map(|one| self.verdict(one)).collect())
    }

    fn verdict(&self, said: &Inference) -> Verdict {
        let labels = &self.model.config().labels;
        let how = &self.judging.nearest;
        let near = self.examples.nearest(&said.features, how.k);
        let mut votes = vec![0.0; labels.len()];
        for (similarity, index) in &near {
            votes[self.examples.rows[*index].label] += (how.sharpness * (similarity - 1.0)).exp();
        }
        let all: f32 = votes.iter().sum();
        let head = softmax(&said.scores);
        let mixed: Vec<f32> = head
            .iter()
            .zip(&votes)
            .map(|(head, vote)| {
                let vote = if all > 0.0 { vote / all } else { 0.0 };
                how.head_share * head + (1.0 - how.head_share) * vote
            })
            .collect();
        let mut ranked: Vec<(f32, usize)> = mixed.iter().copied().zip(0..).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (best, class) = ranked.first().copied().unwrap_or_default();
        let second = ranked.get(1).map_or(0.0, |(share, _)| *share);
        let (similarity, index) = near.first().copied().unwrap_or((0.0, 0));
        let top = best.clamp(CLIP, 1.0 - CLIP);
        let evidence = [1.0, (top / (1.0 - top)).ln(), best - second, similarity];
        let sum: f32 = evidence
            .iter()
            .zip(self.judging.calibration)
            .map(|(seen, weight)| seen * weight)
            .sum();
        let confidence = 1.0 / (1.0 + (-sum).exp());
        let category = labels.get(class).cloned().unwrap_or_default();
        let thresholds = &self.judging.thresholds;
        let threshold = thresholds
            .get(&category)
            .or_else(|| thresholds.get("default"))
            .copied()
            .unwrap_or(0.5);
        let doubt = if similarity < self.judging.min_similarity {
            Some(format!("far from every example ({similarity:.2})"))
        } else if confidence < threshold {
            Some(format!(
                "confidence {confidence:.2} is below {threshold:.2}"
            ))
        } else {
            None
        };
        let nearest = self.examples.rows.get(index).map_or_else(
            || (String::new(), String::new()),
            |row| (labels[row.label].clone(), row.text.clone()),
        );
        Verdict {
            category,
            confidence,
            doubt,
            nearest,
            similarity,
        }
    }
}

/// What the model is shown of an event: who speaks, how bad it is, and the template. Empty parts are left out.
#[must_use]
pub fn text_of(logger: &str, level: &str, template: &str) -> String {
    let parts = [logger, level, template];
    let said: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    said.join(JOIN)
}

fn softmax(scores: &[f32]) -> Vec<f32> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = scores.iter().map(|score| (score - highest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// The texts that the model was trained on, and where they lie.
struct Examples {
    rows: Vec<Example>,
    width: usize,
    /// `width` signed bytes for each row, to be multiplied by its scale.
    codes: Vec<i8>,
}

struct Example {
    label: usize,
    text: String,
    scale: f32,
}

impl Examples {
    /// Reads `examples.tsv` (category, text) and `examples.bin` (a little-endian float as scale, then the bytes).
    fn read(directory: &Path, labels: &[String]) -> Result<Self, ModelError> {
        let path = directory.join("examples.tsv");
        let text = std::fs::read_to_string(&path)
            .map_err(|error| ModelError::unreadable(&path, &error))?;
        let unusable =
            |problem: String| ModelError::new(&path, problem, "make the model anew (make model)");
        let mut rows = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let known = line.split_once('\t').and_then(|(category, text)| {
                let label = labels.iter().position(|label| label == category)?;
                Some(Example {
                    label,
                    text: text.to_owned(),
                    scale: 0.0,
                })
            });
            rows.push(
                known.ok_or_else(|| unusable(format!("line {number} is no category and text")))?,
            );
        }
        let file = directory.join("examples.bin");
        let bytes = std::fs::read(&file).map_err(|error| ModelError::unreadable(&file, &error))?;
        let stride = bytes.len() / rows.len().max(1);
        if rows.is_empty() || stride <= 4 || stride * rows.len() != bytes.len() {
            return Err(unusable(format!(
                "has {} lines, which examples.bin with {} bytes does not fit",
                rows.len(),
                bytes.len()
            )));
        }
        let mut codes = Vec::with_capacity(rows.len() * (stride - 4));
        for (row, bytes) in rows.iter_mut().zip(bytes.chunks_exact(stride)) {
            let (scale, vector) = bytes.split_at(4);
            row.scale = f32::from_le_bytes(scale.try_into().unwrap_or_default());
            codes.extend(vector.iter().map(|byte| byte.cast_signed()));
        }
        Ok(Self {
            rows,
            width: stride - 4,
            codes,
        })
    }

    /// The `k` rows that are most alike, the best first: similarity and row.
    fn nearest(&self, features: &[f32], k: usize) -> Vec<(f32, usize)> {
        let mut all: Vec<(f32, usize)> = self
            .codes
            .chunks_exact(self.width)
            .zip(self.rows.iter().zip(0..))
            .map(|(codes, (row, index))| {
                let sum: f32 = codes
                    .iter()
                    .zip(features)
                    .map(|(code, feature)| f32::from(*code) * feature)
                    .sum();
                (sum * row.scale, index)
            })
            .collect();
        let k = k.clamp(1, all.len());
        all.select_nth_unstable_by(k - 1, |a, b| b.0.total_cmp(&a.0));
        all.truncate(k);
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all
    }
}
