//! What can be wrong with a model: which file, what, and the remedy.

use std::fmt;
use std::path::Path;

/// A model that cannot be used, or that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError {
    place: String,
    problem: String,
    remedy: String,
}

impl std::error::Error for ModelError {}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.problem, self.remedy)
    }
}

impl ModelError {
    /// `file` cannot be used because of `problem`, against which `remedy` helps.
    pub(in crate::classify) fn new(file: &Path, problem: String, remedy: &str) -> Self {
        Self {
            place: file.display().to_string(),
            problem,
            remedy: remedy.to_owned(),
        }
    }

    /// A file that is needed cannot be read.
    pub(in crate::classify) fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        Self::new(
            file,
            format!("cannot be read: {error}"),
            "make the model anew (make model), or name another directory in classify.model.directory",
        )
    }

    /// ONNX Runtime could not do its work.
    pub(super) fn failed(error: &ort::Error) -> Self {
        Self {
            place: "ONNX Runtime".to_owned(),
            problem: error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
            remedy: "the other stages go on; try another model or runtime".to_owned(),
        }
    }

    /// The model's numbers cannot be used.
    pub(super) fn output(problem: String) -> Self {
        Self {
            place: "model.onnx".to_owned(),
            problem,
            remedy: "export the model anew; the other stages go on".to_owned(),
        }
    }
}
