//! Questions about the logs: `/api/logs/query`, `/api/logs/query/suggestions`, `/api/logs/query/stats`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::extract::{Params, Payload};
use super::logs::time_of;
use super::ports::Question;
use super::problem::Problem;

/// References that one answer may have.
const MAX_K: usize = 100;
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
}

fn usual_k() -> usize {
    8
}

/// An answer.
#[derive(ToSchema)]
#[allow(
    dead_code,
    reason = "whoever answers writes it; this is its description"
)]
pub(super) struct QueryResponse {
    /// The answer in words.
    answer: String,
    /// What it is found in, best first: each with its template, its count and lines as they were stored.
    references: Vec<Value>,
    /// The container that was asked about; empty for all.
    container_id: String,
    /// What was asked.
    question: String,
}

/// What the logs say to a question.
#[utoipa::path(
    post,
    path = "/api/logs/query",
    tag = "query",
    request_body = QueryRequest,
    responses(
        (status = 200, body = QueryResponse),
        (status = 404, description = "There is no such container", body = super::problem::ErrorBody),
    )
)]
pub(super) async fn query(
    State(api): State<Api>,
    Payload(request): Payload<QueryRequest>,
) -> Result<Json<Map<String, Value>>, Problem> {
    if !(1..=MAX_K).contains(&request.k) {
        return Err(Problem::value(
            format!("k is {}", request.k),
            format!("use 1 to {MAX_K}"),
        ));
    }
    let length = request.question.chars().count();
    if request.question.trim().is_empty() || length > MAX_QUESTION {
        return Err(Problem::value(
            format!("the question has {length} characters"),
            format!("ask with 1 to {MAX_QUESTION}"),
        ));
    }
    let container = request.container_id.filter(|name| !name.is_empty());
    if let Some(name) = &container {
        api.which(name)?;
    }
    let question = Question {
        text: request.question.clone(),
        k: request.k,
        container: container.clone(),
        from: time_of("from_ts", request.from_ts.as_deref())?,
        to: time_of("to_ts", request.to_ts.as_deref())?,
    };
    let asker = api.asker()?;
    let answer = api.judge(move || asker.ask(&question)).await?;
    let mut answer = answer.map_err(|why| {
        Problem::unavailable(
            "no_answer",
            why,
            "GET /health says what is wrong with the store or the model",
        )
    })?;
    answer.insert(
        "container_id".to_owned(),
        container.unwrap_or_default().into(),
    );
    answer.insert("question".to_owned(), request.question.into());
    Ok(Json(answer))
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
    let asker = api.asker()?;
    api.judge(move || asker.suggestions(whose.container_id.as_deref()))
        .await
        .map(Json)
}

/// What answers are found in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QueryStats {
    /// The container that was asked about.
    container_id: Option<String>,
    /// The index: how many templates and vectors it has.
    #[schema(value_type = Object)]
    vector_store: Value,
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
    let asker = api.asker()?;
    let vector_store = api.judge(move || asker.stats()).await?;
    Ok(Json(QueryStats {
        container_id: whose.container_id,
        vector_store,
        status: "active",
    }))
}
