//! The stages after the rules: what is judged once per template.
//!
//! Enters: templates that the flow has met for the first time, with who spoke and how bad it was. Leaves: a [`Judgement`] for
//! each, and its place among all templates, from one forward pass of a BERT.

mod examples;
mod fit;
mod handle;
pub mod judge;
mod judgement;
pub mod llm;
pub mod model;
mod queue;
mod stage;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, PoisonError};

use logline::template::TemplateId;

pub use handle::{Handle, TeachError};
pub use judge::{Judge, text_of, text_of_line};
pub use judgement::{Judgement, Stage, Vector};
use model::{Model, ModelError};
pub use queue::{Context, Question, Remembered, Renewal};
pub use stage::{Options, judgement_of, spawn};

/// Where a template lies, and the model that says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// Where.
    pub vector: Vector,
    /// The model, with its taxonomy.
    pub version: String,
}

/// What the stage says of a template.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The template.
    pub id: TemplateId,
    /// The verdict; none where the model has failed on it.
    pub judgement: Option<Judgement>,
    /// Where it lies among all templates.
    pub embedding: Option<Embedding>,
    /// The categories by how likely they are, the likeliest first.
    pub ranking: Vec<(String, f32)>,
}

/// A person's verdict on a template.
#[derive(Debug)]
pub struct Taught {
    /// The template.
    pub id: TemplateId,
    /// What it is about.
    pub category: String,
    /// Who says so.
    pub by: String,
    /// Where the template's text is told, or that there is no such template.
    pub reply: SyncSender<Option<String>>,
}

/// What reaches the flow from the stages after the rules.
#[derive(Debug)]
pub enum Said {
    /// A template was judged.
    Answer(Answer),
    /// A person has judged a template.
    Taught(Taught),
}

/// Turns texts into vectors of length 1.
pub trait Embed: Send + Sync {
    /// One vector for each text, in their order.
    ///
    /// # Errors
    /// Where there is no model, or it fails.
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError>;
}

/// A model for who has no thread to ask: commands that work alone.
pub struct LocalModel {
    model: Mutex<Model>,
}

impl LocalModel {
    /// Loads the model in `directory`. See [`Model::open`].
    ///
    /// # Errors
    /// A [`ModelError`] that names the file, what is wrong with it, and what to do.
    pub fn open(
        directory: &Path,
        runtime: Option<&Path>,
        threads: usize,
    ) -> Result<Self, ModelError> {
        let model = Mutex::new(Model::open(directory, runtime, threads)?);
        Ok(Self { model })
    }
}

impl Embed for LocalModel {
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let said = model.infer(texts)?;
        Ok(said.into_iter().map(|one| one.embedding).collect())
    }
}
