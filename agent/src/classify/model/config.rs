//! How a model is to be used, as its `config.json` says.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::ModelError;

/// Tokens of a text that are read where the configuration does not say: templates have about 25.
const MAX_TOKENS: usize = 128;

/// What a model's `config.json` says, of which only this is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The classes by the index of their score.
    pub labels: Vec<String>,
    /// Tokens of a text that are read.
    pub max_tokens: usize,
    /// Tokens that the model knows.
    pub vocabulary: Option<usize>,
    /// How verdicts are made; only the project's own training says so.
    pub judging: Option<Judging>,
}

/// How a verdict is made of scores and nearest examples; fitted by the training, explained in `model/judge.py`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Judging {
    /// How much the nearest examples say.
    pub nearest: Nearest,
    /// Weights of the evidence: constant, log-odds of the best class, its margin, similarity of the nearest example.
    pub calibration: [f32; 4],
    /// Below this confidence nothing is said; by class, `default` for the rest.
    pub thresholds: BTreeMap<String, f32>,
    /// A text less similar than this to every example is not judged.
    pub min_similarity: f32,
}

/// How the examples that are most alike vote.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Nearest {
    /// So many of them.
    pub k: usize,
    /// How much a vote weighs more the more alike the example is.
    pub sharpness: f32,
    /// The share of the model's own scores in the sum.
    pub head_share: f32,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    id2label: BTreeMap<String, String>,
    max_position_embeddings: Option<usize>,
    vocab_size: Option<usize>,
    model_type: Option<String>,
    input: Option<Input>,
    #[serde(flatten)]
    judging: Option<Judging>,
}

#[derive(Deserialize)]
struct Input {
    max_tokens: Option<usize>,
}

impl Config {
    pub(super) fn read(path: &Path) -> Result<Self, ModelError> {
        let text = std::fs::read(path).map_err(|error| ModelError::unreadable(path, &error))?;
        let wrong = |problem: String, remedy: &str| ModelError::new(path, problem, remedy);
        let raw: Raw = serde_json::from_slice(&text).map_err(|error| {
            wrong(
                format!("is no configuration of a model: {error}"),
                "take the config.json that was exported with the model",
            )
        })?;
        let mut labels = vec![String::new(); raw.id2label.len()];
        for (index, label) in raw.id2label {
            let place = index
                .parse()
                .ok()
                .and_then(|index: usize| labels.get_mut(index));
            let Some(place) = place else {
                return Err(wrong(
                    format!("id2label names a class {index}, which is not one of 0, 1, 2, ..."),
                    "number the classes from 0 without gaps",
                ));
            };
            *place = label;
        }
        // RoBERTa's positions begin after its padding token.
        let offset = match raw.model_type.as_deref() {
            Some("roberta" | "xlm-roberta" | "camembert") => 2,
            _ => 0,
        };
        let longest = raw.max_position_embeddings.map_or(usize::MAX, |positions| {
            positions.saturating_sub(offset).max(2)
        });
        let wanted = raw.input.and_then(|input| input.max_tokens);
        Ok(Self {
            labels,
            max_tokens: wanted.unwrap_or(MAX_TOKENS).clamp(2, longest),
            vocabulary: raw.vocab_size,
            judging: raw.judging,
        })
    }
}
