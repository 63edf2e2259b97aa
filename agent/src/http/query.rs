//! Questions about the logs: `/api/logs/query`, `/api/logs/query/suggestions`, `/api/logs/query/stats`.

use std::convert::Infallible;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::unfold;
use logline::redact::{Counts, Redactor};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::extract::{Params, Payload};
use super::logs::time_of;
use super::problem::Problem;
use super::stream::ServerSentEvent;
use crate::ask::worded::{Prompt, Wording};
use crate::ask::{Answer, AskError, EngineStats, Question};
use crate::classify::llm::{Chat, Llm, Purpose};
use crate::telemetry::clock;

/// References that one answer may have.
const MAX_K: usize = 100;
/// Characters that a conversation's id may have.
const MAX_ID: usize = 64;
/// Lines that may be told around one.
const MAX_AROUND: usize = 50;
/// Words that may wait for whoever reads them.
const PIECES: usize = 64;
/// What a worded answer may be as long as.
const REPLY_TOKENS: u64 = 600;
/// Characters that a question may have.
const MAX_QUESTION: usize = 4_096;

/// A question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryRequest {
    /// About this container alone: its id or the beginning of it, its name, its pod, or the path of a file.
    container_id: Option<String>,
    /// What is asked.
    #[schema(min_length = 1, max_length = 4096)]
    question: String,
    /// At most so many references.
    #[serde(default = "usual_k")]
    #[schema(minimum = 1, maximum = 100, default = 8)]
    k: usize,
    /// Not before this time: RFC 3339, or seconds or milliseconds since 1970.
    from_ts: Option<String>,
    /// Before this time.
    to_ts: Option<String>,
    /// So many lines before and after the first line of the best reference are told with it.
    #[serde(default)]
    #[schema(maximum = 50, default = 0)]
    around: usize,
    /// The conversation that the question goes on, as an answer named it.
    #[schema(max_length = 64)]
    conversation_id: Option<String>,
    /// Whether a language model may word the answer, where there is one.
    #[serde(default = "usually")]
    #[schema(default = true)]
    worded: bool,
    /// The answer comes as server-sent events: `piece` with the words as they come, then `answer` with the whole object.
    #[serde(default)]
    #[schema(default = false)]
    stream: bool,
}

fn usually() -> bool {
    true
}

fn usual_k() -> usize {
    8
}

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QueryResponse {
    /// The answer in words, with `[n]` for the nth reference.
    answer: String,
    /// What it is found in, best first: each with its template, its count and lines as they were stored.
    #[schema(value_type = Vec<Object>)]
    references: Vec<Value>,
    /// The container that was asked about; empty for all.
    container_id: String,
    /// What was asked.
    question: String,
    /// Whether anything was found.
    found: bool,
    /// Where was looked, and what had to be assumed.
    #[schema(value_type = Object)]
    looked_at: Value,
    /// Names the conversation, for a question that follows.
    conversation_id: Option<String>,
    /// The model that worded the answer; none: it is composed.
    worded_by: Option<String>,
    /// What the model claimed without support; it was taken out.
    dropped: Vec<String>,
}

impl QueryResponse {
    fn new(answer: Answer, container: String, redactor: Option<&Redactor>) -> Self {
        let hide = |text: String| match redactor {
            None => text,
            Some(redactor) => masked(redactor, text),
        };
        let references = answer.references.iter().map(|reference| {
            let mut value = serde_json::to_value(reference).unwrap_or_default();
            if let Some(redactor) = redactor {
                mask(redactor, &mut value);
            }
            for_seeds(&mut value);
            value
        });
        Self {
            references: references.collect(),
            container_id: container,
            question: answer.question,
            found: answer.found,
            looked_at: serde_json::to_value(&answer.looked_at).unwrap_or_default(),
            conversation_id: answer.conversation_id,
            worded_by: answer.worded_by,
            dropped: answer.dropped.into_iter().map(hide).collect(),
            answer: hide(answer.answer),
        }
    }
}

/// What the seeds' clients read of a reference: its first line, in their words.
fn for_seeds(reference: &mut Value) {
    let line = &reference["lines"][0];
    let level = reference["level"].as_str().unwrap_or_default();
    let more = json!({
        "timestamp": line["timestamp"].as_str().or(reference["first"].as_str()).unwrap_or("unknown"),
        "log_level": level,
        "container_name": line["source"].as_str().unwrap_or("unknown"),
        "text_preview": line["text"].as_str().or(reference["template"].as_str()).unwrap_or_default(),
        "has_error": matches!(level, "error" | "fatal"),
        "has_warning": level == "warn",
    });
    if let (Value::Object(fields), Value::Object(more)) = (reference, more) {
        fields.extend(more);
    }
}

/// Masks the secrets in every text of `value`.
fn mask(redactor: &Redactor, value: &mut Value) {
    match value {
        Value::String(text) => *text = masked(redactor, std::mem::take(text)),
        Value::Array(values) => values.iter_mut().for_each(|value| mask(redactor, value)),
        Value::Object(fields) => fields.values_mut().for_each(|value| mask(redactor, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn masked(redactor: &Redactor, text: String) -> String {
    let mut out = Vec::new();
    if redactor.redact(text.as_bytes(), &mut out, &mut Counts::default()) {
        String::from_utf8_lossy(&out).into_owned()
    } else {
        text
    }
}

/// Words answers with the agent's language model, within its budget.
struct Words(Llm);

impl Wording for Words {
    fn say(&self, prompt: &Prompt, on_piece: &mut dyn FnMut(&str)) -> Result<String, String> {
        let chat = Chat {
            purpose: Purpose::Ask,
            system: prompt.system.clone(),
            user: prompt.user.clone(),
            reply_tokens: REPLY_TOKENS,
            temperature: 0.0,
        };
        let said = self.0.chat(&chat, Some(on_piece));
        said.map_err(|problem| problem.to_string())
    }

    fn name(&self) -> String {
        self.0.model()
    }
}

/// What the logs say to a question.
#[utoipa::path(
    post,
    path = "/api/logs/query",
    tag = "query",
    request_body = QueryRequest,
    responses(
        (status = 200, description = "The answer; with `stream` as server-sent events", content(
            (QueryResponse = "application/json"),
            (ServerSentEvent = "text/event-stream"),
        )),
        (status = 404, description = "There is no such container", body = super::problem::ErrorBody),
    )
)]
pub(super) async fn query(
    State(api): State<Api>,
    Payload(request): Payload<QueryRequest>,
) -> Result<Response, Problem> {
    let within = |name: &str, value: usize, least: usize, most: usize| {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(Problem::value(
            format!("{name} is {value}"),
            format!("use {least} to {most}"),
        ))
    };
    within("k", request.k, 1, MAX_K)?;
    within("around", request.around, 0, MAX_AROUND)?;
    let length = request.question.chars().count();
    within("the length of the question", length, 1, MAX_QUESTION)?;
    if request.question.trim().is_empty() {
        return Err(Problem::value("the question is empty", "ask something"));
    }
    let id = request.conversation_id.as_deref().unwrap_or_default();
    let length = id.chars().count();
    within("the length of the conversation's id", length, 0, MAX_ID)?;
    let container = request.container_id.filter(|name| !name.is_empty());
    if let Some(name) = &container {
        api.which(name)?;
    }
    let question = Question {
        text: request.question,
        k: request.k,
        container: container.clone(),
        from: time_of("from_ts", request.from_ts.as_deref())?,
        to: time_of("to_ts", request.to_ts.as_deref())?,
        now: Some(clock::now()),
        around: request.around,
        conversation_id: request.conversation_id,
    };
    let engine = api.engine()?;
    let words = api.llm().filter(|_| request.worded).cloned().map(Words);
    let container = container.unwrap_or_default();
    let own = api.clone();
    let ask = move |on_piece: &mut dyn FnMut(&str)| {
        let answer = match &words {
            Some(words) => engine.ask_worded(&question, words, on_piece),
            None => engine.ask(&question),
        };
        match answer {
            Ok(answer) => Ok(QueryResponse::new(answer, container, own.redactor())),
            Err(problem) => Err(unanswered(&problem)),
        }
    };
    if request.stream {
        return Ok(streamed(&api, ask));
    }
    let answer = api.judge(move || ask(&mut |_| {})).await?;
    answer.map(|answer| Json(answer).into_response())
}

/// The answer as it comes, as server-sent events.
fn streamed(
    api: &Api,
    ask: impl FnOnce(&mut dyn FnMut(&str)) -> Result<QueryResponse, Problem> + Send + 'static,
) -> Response {
    let (pieces, received) = mpsc::channel::<Bytes>(PIECES);
    let api = api.clone();
    tokio::spawn(async move {
        let own = pieces.clone();
        let answer = api
            .judge(move || {
                // Whoever has gone needs no more words; the answer is then found in vain.
                ask(&mut |piece| {
                    let _ = own.blocking_send(event("piece", &json!({ "text": piece })));
                })
            })
            .await;
        let last = match answer {
            Ok(Ok(answer)) => event("answer", &serde_json::to_value(&answer).unwrap_or_default()),
            Ok(Err(problem)) | Err(problem) => event("error", &problem.body()),
        };
        let _ = pieces.send(last).await;
    });
    let body = unfold(received, |mut received| async move {
        let piece = received.recv().await?;
        Some((Ok::<_, Infallible>(piece), received))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream")];
    (headers, Body::from_stream(body)).into_response()
}

fn event(kind: &str, data: &Value) -> Bytes {
    format!("event: {kind}\ndata: {data}\n\n").into()
}

fn unanswered(problem: &AskError) -> Problem {
    match problem {
        AskError::Store(fault) => Problem::store(fault),
        AskError::UnknownContainer(_) => Problem::unknown(
            "container_not_found",
            "Container not found",
            "GET /api/containers lists those that are known",
        ),
    }
}

/// Whose logs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Whose {
    /// Of this container alone.
    container_id: Option<String>,
}

/// Questions that are worth asking, made from what is stored.
#[utoipa::path(
    get,
    path = "/api/logs/query/suggestions",
    tag = "query",
    params(Whose),
    responses(
        (status = 200, body = [String]),
        (status = 404, description = "There is no such container", body = super::problem::ErrorBody),
    )
)]
pub(super) async fn suggestions(
    State(api): State<Api>,
    Params(whose): Params<Whose>,
) -> Result<Json<Vec<String>>, Problem> {
    if let Some(name) = &whose.container_id {
        api.which(name)?;
    }
    let engine = api.engine()?;
    let found = api
        .judge(move || engine.suggestions(whose.container_id.as_deref()))
        .await?;
    found.map(Json).map_err(|problem| unanswered(&problem))
}

/// What answers are found in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QueryStats {
    /// The container that was asked about.
    container_id: Option<String>,
    /// The index: how many templates and vectors it has.
    #[schema(value_type = Object)]
    vector_store: EngineStats,
    /// `active`.
    status: &'static str,
}

/// What answers are found in.
#[utoipa::path(
    get,
    path = "/api/logs/query/stats",
    tag = "query",
    params(Whose),
    responses(
        (status = 200, body = QueryStats),
        (status = 404, description = "There is no such container", body = super::problem::ErrorBody),
    )
)]
pub(super) async fn stats(
    State(api): State<Api>,
    Params(whose): Params<Whose>,
) -> Result<Json<QueryStats>, Problem> {
    if let Some(name) = &whose.container_id {
        api.which(name)?;
    }
    let engine = api.engine()?;
    let stats = api.judge(move || engine.stats()).await?;
    let vector_store = stats.map_err(|problem| unanswered(&problem))?;
    Ok(Json(QueryStats {
        container_id: whose.container_id,
        vector_store,
        status: "active",
    }))
}
