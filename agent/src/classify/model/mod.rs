//! A BERT through ONNX Runtime: texts in, an embedding and the scores of the classes out.
//!
//! Enters: a directory with `model.onnx`, `tokenizer.json` and `config.json`, as `make model` writes it or as the Hugging
//! Face tools export a sequence classifier. With a `manifest.json` beside them every file is held against its hash first.
//! Leaves: [`Inference`]s. Nothing here knows of templates, thresholds or the store.

mod config;
mod error;
mod manifest;
mod runtime;
mod tokens;

use std::path::Path;

use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, Shape};

pub use config::{Config, Judging, Nearest};
pub use error::ModelError;
use tokens::{Batch, Tokens};

/// The names that the inputs of BERT and its relatives have.
const INPUT_IDS: &str = "input_ids";
const ATTENTION_MASK: &str = "attention_mask";
const TOKEN_TYPE_IDS: &str = "token_type_ids";
/// Outputs by what they hold; the first that the model has counts.
const EMBEDDINGS: [&str; 3] = ["embedding", "sentence_embedding", "pooler_output"];
const FEATURES: &str = "features";
const SCORES: &str = "logits";

/// Texts that go through the model together; like lengths go together, so that little is padded. More of them are no faster
/// on one thread, and take more memory.
const MICRO_BATCH: usize = 4;

/// What the model says of one text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inference {
    /// Where the text lies among all texts, of length 1; empty where the model has no such output.
    pub embedding: Vec<f32>,
    /// Where it lies for telling classes apart, of length 1; empty where the model has no such output.
    pub features: Vec<f32>,
    /// The score of each class before any calibration; empty where the model has no classes.
    pub scores: Vec<f32>,
}

/// A model that is ready. One thread uses it at a time.
pub struct Model {
    session: Session,
    tokens: Tokens,
    config: Config,
    /// Hash over the files: verdicts of another model have another one.
    version: String,
    takes_types: bool,
    embedding: Option<String>,
    features: bool,
    scores: bool,
}

impl Model {
    /// Loads the model in `directory` for at most `threads` threads. `runtime` is the path of ONNX Runtime's shared library;
    /// without one the directory's own or the system's is taken.
    ///
    /// # Errors
    /// A [`ModelError`] that names the file, what is wrong with it, and what to do.
    pub fn open(
        directory: &Path,
        runtime: Option<&Path>,
        threads: usize,
    ) -> Result<Self, ModelError> {
        let version = manifest::verify(directory)?;
        let config = Config::read(&directory.join("config.json"))?;
        let tokens = Tokens::read(&directory.join("tokenizer.json"), &config)?;
        let session = runtime::session(directory, runtime, threads)?;
        let file = directory.join("model.onnx");
        let inputs: Vec<&str> = session.inputs().iter().map(Outlet::name).collect();
        for name in [INPUT_IDS, ATTENTION_MASK] {
            if !inputs.contains(&name) {
                return Err(ModelError::new(
                    &file,
                    format!("has no input `{name}`, only {}", inputs.join(", ")),
                    "export a BERT-like encoder or sequence classifier",
                ));
            }
        }
        if let Some(unknown) = inputs
            .iter()
            .find(|name| ![INPUT_IDS, ATTENTION_MASK, TOKEN_TYPE_IDS].contains(name))
        {
            return Err(ModelError::new(
                &file,
                format!("asks for an input `{unknown}`, which a BERT has not"),
                "export a BERT-like encoder or sequence classifier",
            ));
        }
        let takes_types = inputs.contains(&TOKEN_TYPE_IDS);
        let outputs: Vec<&str> = session.outputs().iter().map(Outlet::name).collect();
        let embedding = EMBEDDINGS
            .into_iter()
            .find(|name| outputs.contains(name))
            .map(str::to_owned);
        let features = outputs.contains(&FEATURES);
        let scores = outputs.contains(&SCORES);
        if embedding.is_none() && !scores {
            return Err(ModelError::new(
                &file,
                format!(
                    "has neither scores nor an embedding among its outputs: {}",
                    outputs.join(", ")
                ),
                "export it with an output `logits` or `embedding`",
            ));
        }
        let mut model = Self {
            session,
            tokens,
            config,
            version,
            takes_types,
            embedding,
            features,
            scores,
        };
        model.try_out(&file)?;
        Ok(model)
    }

    /// How the model is to be used.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether it scores classes.
    #[must_use]
    pub fn has_scores(&self) -> bool {
        self.scores
    }

    /// What tells this model from every other.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the model says of `texts`, in their order. A text longer than the model reads is judged by its beginning.
    ///
    /// # Errors
    /// Where ONNX Runtime fails, or the model gives numbers that are none.
    pub fn infer(&mut self, texts: &[&str]) -> Result<Vec<Inference>, ModelError> {
        let encoded = self.tokens.encode(texts)?;
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|index| encoded.get(*index).map_or(0, Vec::len));
        let mut all = vec![Inference::default(); texts.len()];
        for indices in order.chunks(MICRO_BATCH) {
            let rows: Vec<&[u32]> = indices
                .iter()
                .filter_map(|index| encoded.get(*index).map(Vec::as_slice))
                .collect();
            let batch = Batch::of(&rows, self.tokens.padding());
            for (index, inference) in indices.iter().zip(self.run(&batch)?) {
                all[*index] = inference;
            }
        }
        Ok(all)
    }

    fn run(&mut self, batch: &Batch) -> Result<Vec<Inference>, ModelError> {
        let failed = |error: ort::Error| ModelError::failed(&error);
        let shape = [batch.rows, batch.columns];
        let tensor = |numbers: &[i64]| -> Result<SessionInputValue<'static>, ModelError> {
            let owned =
                ort::value::Tensor::from_array((shape, numbers.to_vec())).map_err(failed)?;
            Ok(owned.into())
        };
        let mut inputs = vec![
            (INPUT_IDS, tensor(&batch.ids)?),
            (ATTENTION_MASK, tensor(&batch.mask)?),
        ];
        if self.takes_types {
            inputs.push((TOKEN_TYPE_IDS, tensor(&vec![0; batch.ids.len()])?));
        }
        let outputs = self.session.run(inputs).map_err(failed)?;
        let rows = |name: &str| -> Result<Vec<Vec<f32>>, ModelError> {
            let Some(value) = outputs.get(name) else {
                return Ok(Vec::new());
            };
            let (shape, numbers) = value.try_extract_tensor::<f32>().map_err(failed)?;
            split(shape, numbers, batch.rows)
        };
        let embeddings = match &self.embedding {
            Some(name) => rows(name)?,
            None => Vec::new(),
        };
        let features = if self.features {
            rows(FEATURES)?
        } else {
            Vec::new()
        };
        let scores = if self.scores {
            rows(SCORES)?
        } else {
            Vec::new()
        };
        let mut embeddings = embeddings.into_iter();
        let mut features = features.into_iter();
        let mut scores = scores.into_iter();
        Ok((0..batch.rows)
            .map(|_| Inference {
                embedding: embeddings.next().map(normalised).unwrap_or_default(),
                features: features.next().unwrap_or_default(),
                scores: scores.next().unwrap_or_default(),
            })
            .collect())
    }

    /// A model that loads may still not run: two texts of different lengths tell.
    fn try_out(&mut self, file: &Path) -> Result<(), ModelError> {
        let said = self.infer(&["connection refused", "a"])?;
        let classes = self.config.labels.len();
        let wrong = said
            .iter()
            .find(|one| self.scores && classes > 0 && one.scores.len() != classes);
        match wrong {
            Some(one) => Err(ModelError::new(
                file,
                format!(
                    "gives {} scores and config.json names {classes} labels",
                    one.scores.len()
                ),
                "take both files from the same training",
            )),
            None => Ok(()),
        }
    }
}

/// The rows of an output of two dimensions; anything that is not a finite number is an error.
fn split(shape: &Shape, numbers: &[f32], rows: usize) -> Result<Vec<Vec<f32>>, ModelError> {
    let dimensions: &[i64] = shape;
    let [found, width] = dimensions else {
        return Err(ModelError::output(format!(
            "an output has {} dimensions instead of 2",
            dimensions.len()
        )));
    };
    let width = usize::try_from(*width).unwrap_or(0);
    if usize::try_from(*found) != Ok(rows) || width == 0 {
        return Err(ModelError::output(format!(
            "an output has {found} rows of {width} numbers for {rows} texts"
        )));
    }
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err(ModelError::output(
            "the model gives numbers that are not finite".to_owned(),
        ));
    }
    Ok(numbers.chunks(width).map(<[f32]>::to_vec).collect())
}

fn normalised(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        for x in &mut vector {
            *x /= length;
        }
    }
    vector
}
