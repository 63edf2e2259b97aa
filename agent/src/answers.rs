//! The room that answers, as the API asks it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tracing::warn;

use crate::ask::worded::{Prompt, Wording};
use crate::ask::{AskError, Engine, Question};
use crate::classify::llm::{Chat, Llm, Purpose};
use crate::http::ports;

/// Tokens that a worded answer may have.
const REPLY_TOKENS: u64 = 600;
/// Between two turns of getting ready: the lines have the processor first.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a turn is.
const TURN: Duration = Duration::from_millis(50);

/// An engine and, where there is one, the language model that words its answers.
#[derive(Debug)]
pub struct Answers {
    engine: Arc<Engine>,
    llm: Option<Spoken>,
}

#[derive(Debug)]
struct Spoken(Llm);

impl Answers {
    /// Answers of `engine`, worded by `llm` where there is one.
    ///
    /// # Errors
    /// Where the thread cannot be started that keeps the engine ready.
    pub fn new(engine: Engine, llm: Option<Llm>) -> std::io::Result<Self> {
        let engine = Arc::new(engine);
        let ready = Arc::downgrade(&engine);
        std::thread::Builder::new()
            .name("ask".to_owned())
            .spawn(move || keep_ready(&ready))?;
        Ok(Self {
            engine,
            llm: llm.map(Spoken),
        })
    }
}

/// Keeps an engine up to date, so that a question need not wait for it; ends with the engine.
fn keep_ready(engine: &Weak<Engine>) {
    loop {
        std::thread::sleep(PAUSE);
        let Some(engine) = engine.upgrade() else {
            return;
        };
        // A store that cannot be read says so in the health, and to whoever asks.
        let _ = engine.prepare(TURN);
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
