//! What a request says, read within bounds: its parameters and its JSON body, or the refusal.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::Api;
use super::problem::Problem;

/// The parameters after the `?`.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, api).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(problem) => Err(Problem::value(
                problem.body_text(),
                "see /docs for the parameters and their bounds",
            )),
        }
    }
}

/// The variable part of the path.
pub(super) struct Name(pub(super) String);

impl FromRequestParts<Api> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, api).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(problem) => Err(Problem::bad(
                "bad_path",
                problem.body_text(),
                "a path is UTF-8, percent-encoded",
            )),
        }
    }
}

/// A JSON body.
pub(super) struct Payload<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Api> for Payload<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "the body is not said to be JSON",
                "send the header Content-Type: application/json",
            ));
        }
        let body = read_body(request, api).await?;
        match serde_json::from_slice(&body) {
            Ok(value) => Ok(Self(value)),
            Err(error) if error.is_data() => Err(Problem::value(
                error.to_string(),
                "see /docs for the fields and their bounds",
            )),
            Err(error) => Err(Problem::bad(
                "bad_json",
                format!("the body is not JSON: {error}"),
                "send one JSON object",
            )),
        }
    }
}

/// The whole body, as long as it is within the bounds of size and time.
pub(super) async fn read_body(request: Request, api: &Api) -> Result<Bytes, Problem> {
    read_within(
        request,
        api,
        api.options().max_body_bytes,
        "api.max_body_bytes",
    )
    .await
}

/// How long the body is, where the request says so.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// The body is longer than `limit`, which is the value of `setting`.
pub(super) fn too_large(limit: usize, setting: &str) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("the body holds more than {limit} bytes"),
        format!("send less at once, or raise {setting}"),
    )
}

/// The whole body, as long as it has at most `limit` bytes, which is the value of `setting`.
pub(super) async fn read_within(
    request: Request,
    api: &Api,
    limit: usize,
    setting: &str,
) -> Result<Bytes, Problem> {
    if announced(request.headers()).is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit, setting));
    }
    let body = Limited::new(request.into_body(), limit).collect();
    match tokio::time::timeout(api.options().timeout, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit, setting)),
        Ok(Err(error)) => Err(Problem::bad(
            "body_broken_off",
            format!("the body cannot be read: {error}"),
            "send the whole body",
        )),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "slow_body",
            "the body did not come within api.timeout_ms",
            "send the whole body at once",
        )),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
    else {
        return false;
    };
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}
