//! Replies as they come: a chat completion as one JSON object, or as a stream of server-sent events.

use std::io::{self, BufRead as _, BufReader, Read};

use serde::Deserialize;

use super::breaker::Severity;
use super::endpoint::{Fall, OnPiece};

/// So much of a refusal is read, in bytes.
const WORDS_BYTES: u64 = 64 * 1024;

/// What a model has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Completion {
    pub(super) content: String,
    /// Whether it came to its end.
    pub(super) whole: bool,
    /// As the endpoint counts, where it does.
    pub(super) tokens_in: Option<u64>,
    pub(super) tokens_out: Option<u64>,
}

#[derive(Deserialize)]
struct Body {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default, alias = "delta")]
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Models {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

/// Reads a reply of status 2xx. Pieces go to `on_piece` where there is one, also where the endpoint sends no stream.
pub(super) fn read(
    reader: impl Read,
    on_piece: &mut Option<OnPiece<'_>>,
) -> Result<Completion, Fall> {
    let mut reader = BufReader::new(reader);
    let streams = loop {
        let first = reader.fill_buf().map_err(|error| broken(&error))?;
        match first.iter().position(|byte| !byte.is_ascii_whitespace()) {
            Some(at) => break first.get(at) != Some(&b'{'),
            None if first.is_empty() => break false,
            None => {
                let blank = first.len();
                reader.consume(blank);
            }
        }
    };
    if streams && on_piece.is_some() {
        return stream(reader, on_piece);
    }
    let mut text = Vec::new();
    reader
        .read_to_end(&mut text)
        .map_err(|error| broken(&error))?;
    let body: Body = serde_json::from_slice(&text).map_err(|_| no_completion())?;
    let Some(choice) = body.choices.into_iter().next() else {
        return Err(no_completion());
    };
    let content = choice.message.content.unwrap_or_default();
    if let Some(on_piece) = on_piece {
        on_piece(&content);
    }
    Ok(Completion {
        content,
        whole: is_whole(choice.finish_reason.as_deref()),
        tokens_in: body.usage.as_ref().and_then(|usage| usage.prompt_tokens),
        tokens_out: body
            .usage
            .as_ref()
            .and_then(|usage| usage.completion_tokens),
    })
}

fn stream(
    mut reader: BufReader<impl Read>,
    on_piece: &mut Option<OnPiece<'_>>,
) -> Result<Completion, Fall> {
    let mut completion = Completion {
        content: String::new(),
        whole: false,
        tokens_in: None,
        tokens_out: None,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        // The reader itself is bounded, and so is a line.
        let read = reader
            .read_until(b'\n', &mut line)
            .map_err(|error| broken(&error))?;
        if read == 0 {
            break;
        }
        let Some(data) = line.trim_ascii().strip_prefix(b"data:") else {
            continue;
        };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            break;
        }
        let body: Body = serde_json::from_slice(data).map_err(|_| no_completion())?;
        if let Some(usage) = body.usage {
            completion.tokens_in = usage.prompt_tokens;
            completion.tokens_out = usage.completion_tokens;
        }
        let Some(choice) = body.choices.into_iter().next() else {
            continue;
        };
        if let Some(piece) = choice.message.content.filter(|piece| !piece.is_empty()) {
            completion.content.push_str(&piece);
            if let Some(on_piece) = on_piece {
                on_piece(&piece);
            }
        }
        if choice.finish_reason.is_some() {
            completion.whole = is_whole(choice.finish_reason.as_deref());
        }
    }
    if completion.content.is_empty() && !completion.whole {
        return Err(no_completion());
    }
    Ok(completion)
}

/// The words of a refusal, as far as they come.
pub(super) fn words(reader: impl Read) -> Vec<u8> {
    let mut text = Vec::new();
    // The status decides; words that do not come whole change nothing of it.
    let _ = reader.take(WORDS_BYTES).read_to_end(&mut text);
    text
}

/// The only model in a list of models; else, in words, why there is no telling.
pub(super) fn only_model(body: &[u8]) -> Result<String, String> {
    let models: Models =
        serde_json::from_slice(body).map_err(|_| "it names no models; set llm.model".to_owned())?;
    match models.data.as_slice() {
        [one] => Ok(one.id.clone()),
        [] => Err("it has no model loaded; load one, or set llm.model".to_owned()),
        several => {
            let names: Vec<&str> = several.iter().take(5).map(|one| one.id.as_str()).collect();
            let names = super::reply::one_line(&names.join(", "));
            let count = several.len();
            Err(format!("it has {count} models ({names}); set llm.model"))
        }
    }
}

/// A reply that says nothing of its end is taken for whole.
fn is_whole(reason: Option<&str>) -> bool {
    !matches!(reason, Some("length" | "content_filter"))
}

fn no_completion() -> Fall {
    Fall {
        reason: "protocol",
        severity: Severity::Passing,
        after: None,
        why: "its answer is no chat completion; is llm.url right?".to_owned(),
    }
}

fn broken(error: &io::Error) -> Fall {
    let late = matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    );
    Fall {
        reason: if late { "timeout" } else { crate::client::CUT },
        severity: Severity::Passing,
        after: None,
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str, stream: bool) -> Result<(Completion, Vec<String>), &'static str> {
        let mut pieces = Vec::new();
        let mut on_piece = |piece: &str| pieces.push(piece.to_owned());
        let mut receiver: Option<OnPiece<'_>> = stream.then_some(&mut on_piece);
        let read = read(text.as_bytes(), &mut receiver).map_err(|fall| fall.reason)?;
        Ok((read, pieces))
    }

    #[test]
    fn a_completion_is_read_whole_or_in_pieces() {
        let whole = r#" {"choices":[{"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":7,"completion_tokens":2}}"#;
        let (completion, pieces) = read_all(whole, true).unwrap();
        assert_eq!(completion.content, "hello");
        assert_eq!(
            (completion.tokens_in, completion.tokens_out),
            (Some(7), Some(2))
        );
        assert_eq!(pieces, ["hello"]);
        let stream = ": hi\n\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"hel\"}}]}\r\n\r\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}\n\n\
            data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
        let (completion, pieces) = read_all(stream, true).unwrap();
        assert_eq!(completion.content, "hello");
        assert!(completion.whole);
        assert_eq!(completion.tokens_out, Some(2));
        assert_eq!(pieces, ["hel", "lo"]);
    }

    #[test]
    fn a_reply_that_was_cut_says_so() {
        let cut = r#"{"choices":[{"message":{"content":"{\"answ"},"finish_reason":"length"}]}"#;
        assert!(!read_all(cut, false).unwrap().0.whole);
        let silent = r#"{"choices":[{"message":{"content":null}}]}"#;
        assert_eq!(read_all(silent, false).unwrap().0.content, "");
    }

    #[test]
    fn what_is_no_completion_is_none() {
        for text in [
            "",
            "<html>log in</html>",
            "{}",
            "[]",
            r#"{"choices":[]}"#,
            "{\"choices\":",
        ] {
            assert_eq!(read_all(text, false).unwrap_err(), "protocol", "{text}");
        }
        assert_eq!(
            read_all("data: nonsense\n\n", true).unwrap_err(),
            "protocol"
        );
        assert_eq!(read_all("data: [DONE]\n\n", true).unwrap_err(), "protocol");
    }

    #[test]
    fn one_model_is_taken_several_are_told() {
        assert_eq!(only_model(br#"{"data":[{"id":"qwen"}]}"#).unwrap(), "qwen");
        let several = only_model(br#"{"data":[{"id":"a"},{"id":"b"}]}"#).unwrap_err();
        assert!(
            several.contains("a, b") && several.contains("llm.model"),
            "{several}"
        );
        assert!(only_model(br#"{"data":[]}"#).is_err());
        assert!(only_model(b"<html>").is_err());
    }
}
