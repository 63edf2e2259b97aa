//! What a language model does in the tests: it reads the templates that it is asked about and answers in the asked form.
#![allow(
    dead_code,
    reason = "several test binaries share it, and each takes what it needs"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::receiver::{Answer as Reply, Request};

/// The templates of a request, as the model sees them.
pub(crate) fn items(request: &Request) -> Vec<Value> {
    if request.body.is_empty() {
        // The server asks before it reads, too.
        return Vec::new();
    }
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    let user = body["messages"][1]["content"].as_str().expect("a message");
    user.lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect()
}

/// A chat completion with this text.
pub(crate) fn completion(content: &str) -> Reply {
    Reply::Text(
        json!({
            "id": "c-1", "object": "chat.completion", "model": "tested",
            "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": content}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        })
        .to_string(),
    )
}

/// A completion that gives each template the category that `judge` says.
pub(crate) fn judged(request: &Request, judge: impl Fn(&str) -> String) -> Reply {
    let answers: Vec<Value> = items(request)
        .iter()
        .map(|item| {
            let template = item["template"].as_str().expect("a template");
            json!({"i": item["i"], "why": "it says so", "category": judge(template)})
        })
        .collect();
    completion(&json!({ "answers": answers }).to_string())
}

/// Holds a server's answers back until the test has seen what it has to see before them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<AtomicBool>);

impl Gate {
    /// One that holds nothing back.
    pub(crate) fn opened() -> Self {
        let gate = Self::default();
        gate.open();
        gate
    }

    /// Lets the answers go.
    pub(crate) fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Waits until it is open; not for ever, so that a test that has failed ends.
    pub(crate) fn pass(&self) {
        let deadline = Instant::now() + Duration::from_secs(25);
        while !self.0.load(Ordering::Acquire) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
