//! What an endpoint understands: not everything that is compatible with OpenAI's interface takes all of it. What is refused
//! is left out from then on.

use serde_json::{Value, json};

use crate::config::raw::llm::ReplyFormat;

/// How the answer's length is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    /// The older field, which nearly everybody knows.
    MaxTokens,
    /// The newer one, which models that think first ask for.
    MaxCompletionTokens,
}

/// What the endpoint is taken to understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    format: ReplyFormat,
    /// The user has said how; it is not changed.
    fixed: bool,
    bound: Bound,
    temperature: bool,
    /// A request was answered like this.
    proven: bool,
}

/// What is said, whatever the dialect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speech<'a> {
    pub(super) model: &'a str,
    pub(super) system: &'a str,
    pub(super) user: &'a str,
    /// The form of the answer; none: free words.
    pub(super) schema: Option<&'a Value>,
    pub(super) reply_tokens: u64,
    pub(super) temperature: f64,
    pub(super) stream: bool,
}

impl Dialect {
    /// `wanted` by the user.
    pub(super) fn new(wanted: ReplyFormat) -> Self {
        Self {
            format: match wanted {
                ReplyFormat::Auto => ReplyFormat::JsonSchema,
                wanted => wanted,
            },
            fixed: wanted != ReplyFormat::Auto,
            bound: Bound::MaxTokens,
            temperature: true,
            proven: false,
        }
    }

    /// How many tokens the answer may have in all: models that are bounded by the newer field count their thoughts, too.
    pub(super) fn reply_tokens(&self, wanted: u64) -> u64 {
        match self.bound {
            Bound::MaxTokens => wanted,
            Bound::MaxCompletionTokens => wanted * 4,
        }
    }

    /// The body of a request.
    pub(super) fn body(&self, speech: &Speech<'_>) -> Value {
        let mut body = json!({
            "model": speech.model,
            "messages": [
                {"role": "system", "content": speech.system},
                {"role": "user", "content": speech.user},
            ],
        });
        let tokens = self.reply_tokens(speech.reply_tokens);
        match self.bound {
            Bound::MaxTokens => body["max_tokens"] = tokens.into(),
            Bound::MaxCompletionTokens => body["max_completion_tokens"] = tokens.into(),
        }
        if self.temperature {
            body["temperature"] = speech.temperature.into();
        }
        if speech.stream {
            body["stream"] = true.into();
        }
        match (speech.schema, self.format) {
            (Some(schema), ReplyFormat::JsonSchema | ReplyFormat::Auto) => {
                body["response_format"] = json!({
                    "type": "json_schema",
                    "json_schema": {"name": "answers", "strict": true, "schema": schema},
                });
            }
            (Some(_), ReplyFormat::JsonObject) => {
                body["response_format"] = json!({"type": "json_object"});
            }
            (Some(_), ReplyFormat::Text) | (None, _) => {}
        }
        body
    }

    /// A request of this dialect was answered.
    pub(super) fn worked(&mut self) {
        self.proven = true;
    }

    /// Whether any request was answered.
    pub(super) fn is_proven(&self) -> bool {
        self.proven
    }

    /// A request was refused with these words: whether it is worth sending it again in the dialect as it is now.
    pub(super) fn refused(&mut self, words: &str, closed: bool) -> bool {
        let words = words.to_lowercase();
        let says = |word: &str| words.contains(word);
        if self.bound == Bound::MaxTokens && says("max_completion_tokens") {
            self.bound = Bound::MaxCompletionTokens;
            return true;
        }
        if self.temperature && says("temperature") {
            self.temperature = false;
            return true;
        }
        let about_format = [
            "response_format",
            "json_schema",
            "json_object",
            "json mode",
            "schema",
            "structured output",
            "grammar",
        ];
        let blames_format = about_format.into_iter().any(says);
        if self.fixed || !closed || (self.proven && !blames_format) {
            return false;
        }
        self.format = match self.format {
            ReplyFormat::JsonSchema | ReplyFormat::Auto => ReplyFormat::JsonObject,
            ReplyFormat::JsonObject => ReplyFormat::Text,
            ReplyFormat::Text => return false,
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(dialect: &Dialect) -> Value {
        dialect.body(&Speech {
            model: "m",
            system: "s",
            user: "u",
            schema: Some(&json!({"type": "object"})),
            reply_tokens: 10,
            temperature: 0.0,
            stream: false,
        })
    }

    #[test]
    fn what_is_refused_is_left_out_from_then_on() {
        let mut dialect = Dialect::new(ReplyFormat::Auto);
        assert_eq!(body(&dialect)["response_format"]["type"], "json_schema");
        assert!(dialect.refused("response_format type json_schema is not supported", true));
        assert_eq!(body(&dialect)["response_format"]["type"], "json_object");
        assert!(dialect.refused("Unknown field: response_format", true));
        assert_eq!(body(&dialect).get("response_format"), None);
        assert!(dialect.refused("use 'max_completion_tokens' instead of max_tokens", true));
        assert_eq!(body(&dialect).get("max_tokens"), None);
        assert_eq!(body(&dialect)["max_completion_tokens"], 40);
        assert!(dialect.refused("temperature: only the default (1) is supported", true));
        assert_eq!(body(&dialect).get("temperature"), None);
        assert!(!dialect.refused("temperature again", true));
    }

    #[test]
    fn a_vague_refusal_changes_nothing_of_what_has_worked() {
        let mut dialect = Dialect::new(ReplyFormat::Auto);
        let mut proven = dialect.clone();
        proven.worked();
        assert!(!proven.refused("this request is too long", true));
        assert!(dialect.refused("bad request", true));
        let mut fixed = Dialect::new(ReplyFormat::JsonSchema);
        assert!(!fixed.refused("response_format", true));
    }
}
