//! What the API asks of who writes lines of log, in its own words.

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
