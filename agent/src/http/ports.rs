//! What the API asks of the rooms that judge, answer and write, in its own words; each may be missing.

use logline::template::TemplateId;
use logline::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// How a line comes to its category.
#[derive(Clone, Debug)]
pub struct Journey {
    /// The category; none: nobody decided.
    pub category: Option<String>,
    /// Who decided, or was the last to look.
    pub by: By,
    /// Probability that the category is right.
    pub confidence: f32,
    /// Why.
    pub reason: String,
    /// How bad it is.
    pub level: &'static str,
    /// The line with its variables masked.
    pub template: String,
    /// The template's id.
    pub template_id: TemplateId,
    /// What each stage did, in their order.
    pub steps: Vec<Step>,
}

/// A stage, by the names that the seeds' clients know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum By {
    /// The rules.
    Regex,
    /// The BERT.
    #[serde(rename = "BERT")]
    Bert,
    /// The LLM.
    #[serde(rename = "LLM")]
    Llm,
}

/// What one stage did.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Step {
    /// `Regex Engine`, `BERT Model` or `LLM Fallback`.
    pub stage: &'static str,
    /// `Classified`, `Skipped`, `Low Confidence`, ...
    pub status: String,
    /// Why.
    pub details: String,
}

/// Why a template cannot be given a category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untaught {
    /// The store knows no such template.
    Template,
    /// The taxonomy has no such category; it has these.
    Category(Vec<String>),
    /// It cannot be kept.
    Failed(String),
}

/// A category of the taxonomy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Its name.
    pub id: String,
    /// What belongs to it.
    pub description: String,
}

/// Judges lines as the flow does, without the flow.
pub trait Classifier: Send + Sync {
    /// How `line` comes to its category.
    fn journey(&self, line: &[u8]) -> Journey;
    /// Whether a BERT judges what no rule decides.
    fn has_model(&self) -> bool;
    /// The categories that there are.
    fn categories(&self) -> Vec<Category>;
    /// Gives a template its category for good; returns its text.
    ///
    /// # Errors
    /// Why it cannot.
    fn teach(&self, template: TemplateId, category: &str) -> Result<String, Untaught>;
}

/// A question about the logs.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is asked.
    pub text: String,
    /// At most so many references.
    pub k: usize,
    /// Of this container alone.
    pub container: Option<String>,
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

/// Answers questions from the store.
pub trait Asker: Send + Sync {
    /// The answer: an object with `question`, `answer` and `references`.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn ask(
        &self,
        question: &Question,
    ) -> Result<serde_json::Map<String, serde_json::Value>, String>;
    /// Questions that the store has an answer to.
    fn suggestions(&self, container: Option<&str>) -> Vec<String>;
    /// What the answers are found in.
    fn stats(&self) -> serde_json::Value;
}

/// Writes lines of log, with an LLM where there is one.
pub trait Writer: Send + Sync {
    /// A line of log as `prompt` describes it.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn generate(&self, prompt: &str) -> Result<String, String>;
    /// Whether there is an LLM.
    fn has_llm(&self) -> bool;
    /// The last `n` requests that were sent to the LLM, newest first.
    fn sent(&self, n: usize) -> Vec<serde_json::Value>;
}
