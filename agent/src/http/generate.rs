//! `POST /api/generate` and `GET /api/llm/log`: what an LLM writes, and what was sent to it.

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::header;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::extract::{Params, Payload};
use super::problem::Problem;

/// Characters that a prompt may have.
const MAX_PROMPT: usize = 4_096;
/// Requests that one answer may tell of.
const MAX_SENT: usize = 1_000;

/// What is wanted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GenerateRequest {
    /// What the line is to be about; anything without it.
    #[serde(default)]
    #[schema(max_length = 4096)]
    prompt: String,
}

/// A line that nobody has printed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Generated {
    /// The line.
    synthetic_log: String,
}

/// A line of log as an LLM writes it, to try rules and alerts with.
#[utoipa::path(
    post,
    path = "/api/generate",
    tag = "classify",
    request_body = Option<GenerateRequest>,
    responses((status = 200, body = Generated))
)]
pub(super) async fn generate(
    State(api): State<Api>,
    request: Request,
) -> Result<Json<Generated>, Problem> {
    // One of the seeds asks without a body.
    let headers = request.headers();
    let says_nothing = !headers.contains_key(header::CONTENT_TYPE)
        && !headers.contains_key(header::TRANSFER_ENCODING)
        && headers
            .get(header::CONTENT_LENGTH)
            .is_none_or(|length| length == "0");
    let wanted = if says_nothing {
        GenerateRequest::default()
    } else {
        let Payload(wanted) =
            Payload::<Option<GenerateRequest>>::from_request(request, &api).await?;
        wanted.unwrap_or_default()
    };
    let length = wanted.prompt.chars().count();
    if length > MAX_PROMPT {
        return Err(Problem::value(
            format!("the prompt has {length} characters"),
            format!("use at most {MAX_PROMPT}"),
        ));
    }
    let writer = api.writer()?;
    let line = api.judge(move || writer.generate(&wanted.prompt)).await?;
    match line {
        Ok(synthetic_log) => Ok(Json(Generated { synthetic_log })),
        Err(why) => Err(Problem::unavailable(
            "llm_failed",
            why,
            "GET /api/llm/log tells what was sent, GET /health what is wrong",
        )),
    }
}

/// How much is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HowMany {
    /// The last so many.
    #[serde(default = "usual_limit")]
    #[param(minimum = 1, maximum = 1_000, default = 100)]
    limit: usize,
}

fn usual_limit() -> usize {
    100
}

/// What was sent to the LLM.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LlmLog {
    /// Whether there is an LLM.
    enabled: bool,
    /// The requests, newest first, as they were sent.
    #[schema(value_type = Vec<Object>)]
    sent: Vec<Value>,
}

/// Everything that was sent to the LLM of late, word for word.
#[utoipa::path(get, path = "/api/llm/log", tag = "agent", params(HowMany), responses((status = 200, body = LlmLog)))]
pub(super) async fn log(
    State(api): State<Api>,
    Params(how_many): Params<HowMany>,
) -> Result<Json<LlmLog>, Problem> {
    if !(1..=MAX_SENT).contains(&how_many.limit) {
        return Err(Problem::value(
            format!("limit is {}", how_many.limit),
            format!("use 1 to {MAX_SENT}"),
        ));
    }
    Ok(Json(match api.writer() {
        Ok(writer) => LlmLog {
            enabled: writer.has_llm(),
            sent: writer.sent(how_many.limit),
        },
        Err(_) => LlmLog {
            enabled: false,
            sent: Vec::new(),
        },
    }))
}
