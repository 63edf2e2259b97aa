//! The room that answers, as the API asks it.

use serde_json::{Map, Value, json};
use tracing::warn;

use crate::ask::worded::{Prompt, Wording};
use crate::ask::{AskError, Engine, Question};
use crate::classify::llm::{Chat, Llm, Purpose};
use crate::http::ports;

/// Tokens that a worded answer may have.
const REPLY_TOKENS: u64 = 600;

/// An engine and, where there is one, the language model that words its answers.
#[derive(Debug)]
pub struct Answers {
    engine: Engine,
    llm: Option<Spoken>,
}

#[derive(Debug)]
struct Spoken(Llm);

impl Answers {
    /// Answers of `engine`, worded by `llm` where there is one.
    #[must_use]
    pub fn new(engine: Engine, llm: Option<Llm>) -> Self {
        Self {
            engine,
            llm: llm.map(Spoken),
        }
    }
}

impl ports::Asker for Answers {
    fn ask(&self, question: &ports::Question) -> Result<Map<String, Value>, String> {
        let question = Question {
            text: question.text.clone(),
            k: question.k,
            container: question.container.clone(),
            from: question.from,
            to: question.to,
            ..Question::default()
        };
        let answer = match &self.llm {
            Some(llm) => self.engine.ask_worded(&question, llm, &mut |_| {}),
            None => self.engine.ask(&question),
        };
        let answer = answer.map_err(|error| error.to_string())?;
        match serde_json::to_value(answer) {
            Ok(Value::Object(answer)) => Ok(answer),
            Ok(_) => Err("an answer is not an object".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn suggestions(&self, container: Option<&str>) -> Vec<String> {
        match self.engine.suggestions(container) {
            Ok(questions) => questions,
            Err(AskError::UnknownContainer(_)) => Vec::new(),
            Err(error) => {
                warn!(%error, "no questions can be suggested");
                Vec::new()
            }
        }
    }

    fn stats(&self) -> Value {
        match self.engine.stats() {
            Ok(stats) => json!(stats),
            Err(error) => json!({ "error": error.to_string() }),
        }
    }
}

impl Wording for Spoken {
    fn say(&self, prompt: &Prompt, on_piece: &mut dyn FnMut(&str)) -> Result<String, String> {
        let chat = Chat {
            purpose: Purpose::Ask,
            system: prompt.system.clone(),
            user: prompt.user.clone(),
            reply_tokens: REPLY_TOKENS,
            temperature: 0.0,
        };
        self.0
            .chat(&chat, Some(on_piece))
            .map_err(|error| error.to_string())
    }

    fn name(&self) -> String {
        self.0.model()
    }
}
