//! What can be wrong with a model: which file, what, and the remedy.

use std::fmt;
use std::path::Path;

/// A model that cannot be used, or that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError {
    place: String,
    problem: String,
    remedy: String,
    /// The pack lacks what a head is fitted to.
    of_pack: bool,
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
            of_pack: false,
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

    /// The pack `name` has too little for a head of its own.
    pub(in crate::classify) fn pack(name: &str, problem: String, remedy: &str) -> Self {
        Self {
            place: format!("pack {name}"),
            problem,
            remedy: remedy.to_owned(),
            of_pack: true,
        }
    }

    /// Whether the model is sound, and the pack lacks what is needed to use it.
    #[must_use]
    pub fn is_of_pack(&self) -> bool {
        self.of_pack
    }

    /// There is no model.
    pub(in crate::classify) fn missing() -> Self {
        Self {
            place: "classify.model".to_owned(),
            problem: "there is no model".to_owned(),
            remedy: "make one (make model), or name its directory in classify.model.directory"
                .to_owned(),
            of_pack: false,
        }
    }

    /// The model has more to do than it can.
    pub(in crate::classify) fn busy() -> Self {
        Self {
            place: "the model".to_owned(),
            problem: "has too much to do".to_owned(),
            remedy: "ask again in a moment".to_owned(),
            of_pack: false,
        }
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
            of_pack: false,
        }
    }

    /// The model's numbers cannot be used.
    pub(super) fn output(problem: String) -> Self {
        Self {
            place: "model.onnx".to_owned(),
            problem,
            remedy: "export the model anew; the other stages go on".to_owned(),
            of_pack: false,
        }
    }
}
