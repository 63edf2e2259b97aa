//! From what the model says of a text to a verdict: the same steps as `model/judge.py`, which the calibration was fitted on.
//!
//! The scores of the classes and the votes of the nearest examples are mixed; how sure the best class is comes from its
//! log-odds, its margin and the similarity of the nearest example. Below the class's threshold, or far from every example,
//! nothing is said.
//!
//! The scores come from the model where its classes are the pack's categories; from a head that is fitted to the pack's
//! examples where they are others; and where the model is somebody's own classifier, its classes are taken as they are.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use logline::rules::Pack;
use logline::time::TimeContext;
use logline::{header, level, template};
use xxhash_rust::xxh3::Xxh3;

use super::examples::Examples;
use super::fit::{self, Head};
use super::model::{Inference, Judging, Model, ModelError, Nearest};

/// Probabilities are kept this far from 0 and 1 before their log-odds are taken.
const CLIP: f32 = 1e-4;
/// Between the parts of a text.
const JOIN: &str = " | ";
/// Examples of a category that a head can be fitted to.
const LEAST_EXAMPLES: usize = 2;
/// Categories that are told beside the likeliest one.
const RANKED: usize = 4;
/// Below this share of its own certainty nothing is said by somebody's own classifier.
const OWN_THRESHOLD: f32 = 0.5;

/// What the model says a text is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The most likely class, also where nothing is said for certain.
    pub category: String,
    /// The probability that it is right.
    pub confidence: f32,
    /// Why the model abstains; none: it does not.
    pub doubt: Option<String>,
    /// The example that is most alike, with its category; empty where there are no examples.
    pub nearest: (String, String),
    /// How alike it is: 1 is the same.
    pub similarity: f32,
    /// The likeliest classes with their shares, the first first.
    pub ranking: Vec<(String, f32)>,
}

/// A model with its examples and its calibration.
pub struct Judge {
    model: Model,
    labels: Vec<String>,
    /// Fitted here; none: the model's own scores are taken.
    head: Option<Head>,
    judging: Judging,
    examples: Examples,
    version: String,
}

impl Judge {
    /// Loads the model in `directory` for the categories of `pack`. See [`Model::open`].
    ///
    /// # Errors
    /// A [`ModelError`] that names the file, what is wrong with it, and what to do.
    pub fn open(
        directory: &Path,
        runtime: Option<&Path>,
        threads: usize,
        pack: &Pack,
    ) -> Result<Self, ModelError> {
        let mut model = Model::open(directory, runtime, threads)?;
        let wanted: Vec<String> = pack
            .taxonomy
            .categories
            .iter()
            .map(|category| category.id.clone())
            .collect();
        let labels = model.config().labels.clone();
        let same = labels.iter().collect::<BTreeSet<_>>() == wanted.iter().collect();
        let taxonomy = format!("{}.{}", pack.name, pack.taxonomy.version);
        let short = |version: &str| version.chars().take(12).collect::<String>();
        let model_version = short(model.version());
        if let Some(judging) = model.config().judging.clone()
            && same
        {
            let examples = Examples::read(directory, &labels)?;
            return Ok(Self {
                labels,
                head: None,
                judging,
                examples,
                version: format!("{model_version}/{taxonomy}"),
                model,
            });
        }
        if model.config().judging.is_none() && !labels.is_empty() && model.has_scores() {
            return Ok(Self {
                labels,
                head: None,
                judging: own_classes(),
                examples: Examples::default(),
                version: format!("{model_version}/own"),
                model,
            });
        }
        let texts = examples_of(pack);
        let mut counts = vec![0; wanted.len()];
        let mut hash = Xxh3::new();
        for (label, text) in &texts {
            counts[*label] += 1;
            hash.update(text.as_bytes());
            hash.update(&[0]);
        }
        if let Some(few) = counts.iter().position(|count| *count < LEAST_EXAMPLES) {
            return Err(ModelError::pack(
                &pack.name,
                format!(
                    "has {} example lines of category {}, which is too few to fit a head to",
                    counts[few], wanted[few]
                ),
                "give every category of the pack 5 example lines or more (`examples`)",
            ));
        }
        let shown: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
        let places: Vec<Vec<f32>> = model.infer(&shown)?.into_iter().map(features).collect();
        let fitted = fit::fit(texts, &places, wanted.len());
        Ok(Self {
            labels: wanted,
            head: Some(fitted.head),
            judging: fitted.judging,
            examples: fitted.examples,
            version: format!("{model_version}/{taxonomy}-{:08x}", hash.digest() >> 32),
            model,
        })
    }

    /// What tells this model with these categories from every other.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The classes that verdicts may name.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// How many examples vote.
    #[must_use]
    pub fn examples(&self) -> usize {
        self.examples.len()
    }

    /// One verdict and one place for each text, in their order. [`text_of`] makes the texts. A place is empty where the model
    /// gives none.
    ///
    /// # Errors
    /// Where the model fails or gives numbers that are none.
    pub fn judge(&mut self, texts: &[&str]) -> Result<Vec<(Verdict, Vec<f32>)>, ModelError> {
        let said = self.model.infer(texts)?;
        Ok(said
            .into_iter()
            .map(|one| (self.verdict(&one), one.embedding))
            .collect())
    }

    /// One verdict for each text, in their order.
    ///
    /// # Errors
    /// As [`judge`](Self::judge).
    pub fn verdicts(&mut self, texts: &[&str]) -> Result<Vec<Verdict>, ModelError> {
        let said = self.model.infer(texts)?;
        Ok(said.iter().map(|one| self.verdict(one)).collect())
    }

    /// The verdict on one text.
    pub(super) fn verdict_on(&mut self, text: &str) -> Result<Verdict, ModelError> {
        Ok(self.verdicts(&[text])?.pop().unwrap_or_default())
    }

    /// Where texts lie among all texts.
    pub(super) fn places(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let said = self.model.infer(texts)?;
        Ok(said.into_iter().map(|one| one.embedding).collect())
    }

    /// `text` is about `category`: it votes from now on.
    ///
    /// # Errors
    /// Where the model fails. A category that there is not, or a model without features, changes nothing.
    pub(super) fn learn(&mut self, text: &str, category: &str) -> Result<(), ModelError> {
        let Some(label) = self.labels.iter().position(|label| label == category) else {
            return Ok(());
        };
        let said = self.model.infer(&[text])?;
        if let Some(place) = said.into_iter().map(features).next() {
            self.examples.teach(label, text, &place);
        }
        Ok(())
    }

    fn verdict(&self, said: &Inference) -> Verdict {
        let place = if said.features.is_empty() {
            &said.embedding
        } else {
            &said.features
        };
        let fitted = self.head.as_ref().map(|head| head.scores(place));
        let scores = fitted.as_ref().unwrap_or(&said.scores);
        let classes = self.labels.len();
        let how = &self.judging.nearest;
        let (mixed, near) = mix(scores, place, &self.examples, how, classes);
        let (similarity, index) = near.first().copied().unwrap_or((0.0, usize::MAX));
        let (class, seen) = evidence(&mixed, similarity);
        let confidence = confidence(&seen, &self.judging.calibration);
        let category = self.labels.get(class).cloned().unwrap_or_default();
        let thresholds = &self.judging.thresholds;
        let threshold = thresholds
            .get(&category)
            .or_else(|| thresholds.get("default"))
            .copied()
            .unwrap_or(OWN_THRESHOLD);
        let doubt = if similarity < self.judging.min_similarity {
            Some(format!("far from every example ({similarity:.2})"))
        } else if confidence < threshold {
            Some(format!(
                "confidence {confidence:.2} is below {threshold:.2}"
            ))
        } else {
            None
        };
        let nearest = self
            .examples
            .get(index)
            .map_or_else(Default::default, |row| {
                (self.labels[row.label].clone(), row.text.clone())
            });
        let mut ranking: Vec<(String, f32)> = self.labels.iter().cloned().zip(mixed).collect();
        ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranking.truncate(RANKED);
        Verdict {
            category,
            confidence,
            doubt,
            nearest,
            similarity,
            ranking,
        }
    }
}

/// What tells classes apart: the model's features or, where it has none, the embedding.
fn features(said: Inference) -> Vec<f32> {
    if said.features.is_empty() {
        said.embedding
    } else {
        said.features
    }
}

/// Somebody's own classifier is believed as far as it believes itself.
fn own_classes() -> Judging {
    Judging {
        nearest: Nearest {
            k: 1,
            sharpness: 1.0,
            head_share: 1.0,
        },
        calibration: [0.0, 1.0, 0.0, 0.0],
        thresholds: BTreeMap::from([("default".to_owned(), OWN_THRESHOLD)]),
        min_similarity: -1.0,
    }
}

/// The texts of a pack whose category is known, as the model would be shown them.
fn examples_of(pack: &Pack) -> Vec<(usize, String)> {
    let named = pack
        .examples
        .iter()
        .map(|example| (example.category, example.text.as_str()));
    let matched = pack.rules().iter().flat_map(|rule| {
        rule.matches
            .iter()
            .map(|text| (rule.category, text.as_str()))
    });
    let mut seen = BTreeSet::new();
    named
        .chain(matched)
        .map(|(category, line)| (category, text_of_line(line.as_bytes())))
        .filter(|(_, text)| seen.insert(text.clone()))
        .collect()
}

/// What the model is shown of a line that stands alone.
#[must_use]
pub fn text_of_line(line: &[u8]) -> String {
    let header = header::parse(line, &TimeContext::default());
    let level = level::of(&header, &header.message).unwrap_or_default();
    let mut masked = template::Masked::new();
    template::mask(&header.message, &mut masked);
    let logger = header.logger.as_deref().unwrap_or_default();
    text_of(
        &String::from_utf8_lossy(logger),
        level.as_str(),
        &String::from_utf8_lossy(masked.text()),
    )
}

/// The shares of the classes, and the nearest examples: similarity and row.
pub(super) fn mix(
    scores: &[f32],
    place: &[f32],
    examples: &Examples,
    how: &Nearest,
    classes: usize,
) -> (Vec<f32>, Vec<(f32, usize)>) {
    let near = examples.nearest(place, how.k);
    let mut votes = vec![0.0; classes];
    for (similarity, index) in &near {
        if let Some(row) = examples.get(*index) {
            votes[row.label] += (how.sharpness * (similarity - 1.0)).exp();
        }
    }
    let all: f32 = votes.iter().sum();
    let mixed = softmax(scores)
        .iter()
        .zip(&votes)
        .map(|(head, vote)| {
            let vote = if all > 0.0 { vote / all } else { 0.0 };
            how.head_share * head + (1.0 - how.head_share) * vote
        })
        .collect();
    (mixed, near)
}

/// The likeliest class, and what its confidence is computed from.
pub(super) fn evidence(mixed: &[f32], similarity: f32) -> (usize, [f32; 4]) {
    let mut ranked: Vec<(f32, usize)> = mixed.iter().copied().zip(0..).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (best, class) = ranked.first().copied().unwrap_or_default();
    let second = ranked.get(1).map_or(0.0, |(share, _)| *share);
    let top = best.clamp(CLIP, 1.0 - CLIP);
    (
        class,
        [1.0, (top / (1.0 - top)).ln(), best - second, similarity],
    )
}

/// The probability that the class is right.
pub(super) fn confidence(evidence: &[f32; 4], weights: &[f32; 4]) -> f32 {
    let sum: f32 = evidence
        .iter()
        .zip(weights)
        .map(|(seen, weight)| seen * weight)
        .sum();
    1.0 / (1.0 + (-sum).exp())
}

/// What the model is shown of an event: who speaks, how bad it is, and the template. Empty parts are left out.
#[must_use]
pub fn text_of(logger: &str, level: &str, template: &str) -> String {
    let parts = [logger, level, template];
    let said: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    said.join(JOIN)
}

pub(super) fn softmax(scores: &[f32]) -> Vec<f32> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = scores.iter().map(|score| (score - highest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}
