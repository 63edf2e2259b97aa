//! A refusal: its status, a word for programs, what is wrong, and what to do about it.

use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa::ToSchema;

use crate::store::Fault;
use crate::web;

/// Why a request is refused. As a response it has the form of every error of this API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: String,
}

/// What a refused request is answered with.
#[derive(ToSchema)]
#[allow(
    dead_code,
    reason = "it is written by `web::error`; this is its description"
)]
pub(super) struct ErrorBody {
    error: ErrorDetail,
    /// The message once more, where clients of FastAPI services look for it.
    detail: String,
}

/// Why a request was refused.
#[derive(ToSchema)]
#[allow(
    dead_code,
    reason = "it is written by `web::error`; this is its description"
)]
pub(super) struct ErrorDetail {
    /// A word for programs.
    code: String,
    /// What is wrong.
    message: String,
    /// What to do about it.
    hint: String,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The request is not one that can be understood.
    pub(super) fn bad(code: &'static str, message: impl Into<String>, hint: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message, hint)
    }

    /// The request is understood, but a value in it cannot be used.
    pub(super) fn value(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_value", message, hint)
    }

    /// What is asked for does not exist.
    pub(super) fn unknown(code: &'static str, message: impl Into<String>, hint: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message, hint)
    }

    /// A part of the agent that this needs does not work, or is not there.
    pub(super) fn unavailable(
        code: &'static str,
        message: impl fmt::Display,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            code,
            message.to_string(),
            hint,
        )
    }

    /// The same as the body of an answer has it.
    pub(super) fn body(&self) -> serde_json::Value {
        web::body(self.code, &self.message, &self.hint)
    }

    /// The store cannot be read.
    pub(super) fn store(fault: &Fault) -> Self {
        Self::unavailable(
            "store_unavailable",
            fault,
            "GET /health says what is wrong with the store",
        )
    }

    /// Too much is asked of the agent at this time.
    pub(super) fn busy(what: &str) -> Self {
        Self::unavailable("busy", what, "try again in a second")
    }

    /// The answer took too long.
    pub(super) fn late() -> Self {
        Self::unavailable(
            "timeout",
            "the answer took longer than api.timeout_ms",
            "ask for less: a shorter time, one container",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = web::error(self.status, self.code, &self.message, &self.hint);
        let again = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        if again.contains(&self.status) && ["busy", "too_many_requests"].contains(&self.code) {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
