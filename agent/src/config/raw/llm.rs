//! The language model as it is written.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::Switch;

section! {
    /// What a language model is asked about.
    Llm / PartialLlm {
        /// Whether it is asked.
        enabled: Switch,
        /// What kind of endpoint it is.
        preset: Preset,
        /// The part before `/chat/completions`, or empty for the preset's.
        url: String,
        /// The model's name there, or empty.
        model: String,
        /// File with the key, or empty.
        key_file: String,
        /// Variable with the key, or empty for the preset's.
        key_env: String,
        /// PEM file with the authorities that are believed, or empty.
        ca_file: String,
        /// Which way requests go.
        proxy: String,
        /// How a closed answer is asked for.
        format: ReplyFormat,
        /// Milliseconds that a request may take.
        timeout_ms: u64,
        /// Milliseconds that a template waits for others.
        linger_ms: u64,
        /// Templates in one request.
        max_templates: usize,
        /// Tokens of the templates of one request.
        max_request_tokens: u64,
        /// Templates that may wait.
        max_queue: usize,
        /// Whether everything is asked twice.
        second_vote: bool,
        /// How sure a verdict has to be.
        min_confidence: Amount,
        /// Requests that can be read back.
        keep_sent: usize,
    } nested {
        /// What may be spent.
        budget: Budget / PartialBudget,
    }
}

section! {
    /// What may be spent; 0 is no bound.
    Budget / PartialBudget {
        /// Requests in any minute.
        requests_per_minute: u32,
        /// Tokens in any hour.
        tokens_per_hour: u64,
        /// Tokens in any day.
        tokens_per_day: u64,
        /// Money in any day.
        money_per_day: Amount,
        /// Price of a million tokens sent.
        price_in: Amount,
        /// Price of a million tokens answered.
        price_out: Amount,
    }
}

/// What kind of endpoint is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// By the URL, else by the key that is there.
    Auto,
    /// api.groq.com.
    Groq,
    /// Google's Gemini through its interface like OpenAI's.
    Gemini,
    /// api.openai.com.
    Openai,
    /// Ollama.
    Ollama,
    /// vLLM.
    Vllm,
    /// llama.cpp's server.
    LlamaCpp,
    /// The LiteLLM proxy.
    Litellm,
    /// Any other one.
    Other,
}

/// How a closed answer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyFormat {
    /// The first of the others, in this order, that the endpoint takes.
    Auto,
    /// With a schema that allows the known categories alone.
    JsonSchema,
    /// As JSON of any shape.
    JsonObject,
    /// In words.
    Text,
}

/// A number that is not negative, in millionths, so that it can be compared and added up exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub u64);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        if !(0.0..=1e9).contains(&value) {
            return Err(D::Error::custom("use a number from 0 to 1000000000"));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // In bounds, see above.
        let millionths = (value * 1e6).round() as u64;
        Ok(Self(millionths))
    }
}
