//! Lines that no rule decides, put to an agent (`POST /api/classify`), whose model judges their template.
//!
//! A function of Arroyo that takes longer than its time-out panics, and the pipeline starts anew. So everything here has its own, shorter one,
//! and whatever goes wrong is an answer: what the rules say.

use std::cell::RefCell;
use std::collections::HashMap;
use std::env;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use logline::sieve::Source;
use serde_json::{Value, json};

use crate::{complain, judge};

/// How long an agent has, where `LOGSIEVE_TIMEOUT_MS` does not say it: well under Arroyo's 5 s.
const TIMEOUT_MS: u64 = 2_000;
/// The longest time that may be set.
const MAX_TIMEOUT_MS: u64 = 4_000;
/// An answer is no larger, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// Answers kept for a thread; beyond that all are forgotten.
const MAX_KEPT: usize = 10_000;

/// The agent's address and what is needed to reach it. One per thread, since a connection belongs to the thread's own runtime.
struct Agent {
    client: Client<HttpConnector, Full<Bytes>>,
    uri: Option<Uri>,
    token: Option<String>,
    timeout: Duration,
    /// By template: a verdict belongs to one.
    kept: HashMap<u64, String>,
}

thread_local! {
    static AGENT: RefCell<Option<Agent>> = const { RefCell::new(None) };
}

/// What the rules say of a line or, where they say nothing, what the agent at `LOGSIEVE_URL` (`http://127.0.0.1:7333`) says of its template,
/// as JSON with the fields of [`verdict`](crate::verdict). What the rules say also where the agent cannot be asked.
///
/// `LOGSIEVE_TOKEN` is sent as the bearer token, `LOGSIEVE_TIMEOUT_MS` (2000, at most 4000) bounds the whole request. To be called in a runtime
/// of tokio, as Arroyo does.
pub async fn ask(line: &str) -> Option<String> {
    let (own, decided, template) = judge(|alone| {
        let verdict = alone.judge(line.as_bytes(), &Source::default());
        let mut json = Vec::with_capacity(256);
        verdict.write_json(&mut json);
        (json, verdict.rule.is_some(), verdict.template_id().0)
    })?;
    let own = String::from_utf8(own).ok()?;
    if decided || line.trim().is_empty() {
        return Some(own);
    }
    // The borrow ends before anything is waited for.
    let ready = AGENT.with_borrow_mut(|agent| {
        let agent = agent.get_or_insert_with(Agent::new);
        match agent.kept.get(&template) {
            Some(known) => Err(known.clone()),
            None => Ok(agent
                .request(line)
                .map(|request| (request, agent.client.clone(), agent.timeout))),
        }
    });
    let (request, client, timeout) = match ready {
        Err(known) => return Some(known),
        Ok(None) => return Some(own),
        Ok(Some(ready)) => ready,
    };
    let answer = tokio::time::timeout(timeout, exchange(&client, request)).await;
    let Some(told) = answer.ok().flatten() else {
        return Some(own);
    };
    AGENT.with_borrow_mut(|agent| {
        if let Some(agent) = agent {
            if agent.kept.len() >= MAX_KEPT {
                agent.kept.clear();
            }
            agent.kept.insert(template, told.clone());
        }
    });
    Some(told)
}

impl Agent {
    fn new() -> Self {
        let base = env::var("LOGSIEVE_URL").unwrap_or_else(|_| "http://127.0.0.1:7333".to_owned());
        let uri = format!("{}/api/classify", base.trim_end_matches('/')).parse::<Uri>();
        let uri = uri.ok().filter(|uri| uri.scheme_str() == Some("http"));
        if uri.is_none() {
            complain(&format!(
                "LOGSIEVE_URL={base} is no http:// URL: only rules decide"
            ));
        }
        let milliseconds = env::var("LOGSIEVE_TIMEOUT_MS")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(TIMEOUT_MS);
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            uri,
            token: env::var("LOGSIEVE_TOKEN").ok(),
            timeout: Duration::from_millis(milliseconds.min(MAX_TIMEOUT_MS)),
            kept: HashMap::new(),
        }
    }

    fn request(&self, line: &str) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone()?)
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = json!({ "log_message": line }).to_string();
        request.body(Full::new(Bytes::from(body))).ok()
    }
}

/// Sends the request and reads the answer; none where it is not what is expected.
async fn exchange(
    client: &Client<HttpConnector, Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Option<String> {
    let response = client.request(request).await.ok()?;
    if response.status() != StatusCode::OK {
        return None;
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER)
        .collect()
        .await
        .ok()?;
    translate(&body.to_bytes())
}

/// The agent's answer in the words of a verdict.
fn translate(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let category = text("final_category")?;
    let stage = match text("pipeline_stage")? {
        _ if category == logline::alone::UNCLASSIFIED => "none",
        "Regex" => "rule",
        "BERT" => "bert",
        "LLM" => "llm",
        _ => return None,
    };
    let verdict = json!({
        "level": text("level")?,
        "category": category,
        "stage": stage,
        "confidence": answer.get("final_confidence")?.as_f64()?,
        "reason": text("reason").unwrap_or_default(),
        "template_id": text("template_id").unwrap_or_default(),
        "template": text("template").unwrap_or_default(),
    });
    Some(verdict.to_string())
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn an_agents_answer_becomes_a_verdict_and_anything_else_none() {
        let answer = br#"{"final_category":"storage","pipeline_stage":"BERT","final_confidence":0.75,"level":"warn","reason":"bert: near","template":"a <num>","template_id":"00"}"#;
        let verdict = translate(answer).expect("a verdict");
        assert!(
            verdict.contains("\"stage\":\"bert\"") && verdict.contains("0.75"),
            "{verdict}"
        );
        for other in [&b"{}"[..], b"", b"[1]", br#"{"final_category":7}"#, br#"{"final_category":"x","pipeline_stage":"Oracle","final_confidence":1,"level":"info"}"#] {
            assert_eq!(translate(other), None);
        }
    }
}
