//! `/metrics` and `/health` on a listener of their own, so that Prometheus and the kubelet need no access to log text.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::{Health, Metrics};

/// What the two pages are made from.
#[derive(Clone)]
pub struct Telemetry {
    /// The state of the parts.
    pub health: Arc<Health>,
    /// The numbers.
    pub metrics: Arc<Metrics>,
    /// The bearer token that is asked for, if one is.
    pub token: Option<Arc<str>>,
}

/// The pages, to be served on any listener.
pub fn router(telemetry: Telemetry) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .fallback(|| async {
            error(
                StatusCode::NOT_FOUND,
                "not_found",
                "there is no such page",
                "ask for /metrics or /health",
            )
        })
        .layer(middleware::from_fn_with_state(telemetry.clone(), guard))
        .with_state(telemetry)
}

async fn metrics(State(telemetry): State<Telemetry>) -> Response {
    match telemetry.metrics.render() {
        Ok(text) => (
            [(
                header::CONTENT_TYPE,
                HeaderValue::from_static(prometheus::TEXT_FORMAT),
            )],
            text,
        )
            .into_response(),
        Err(problem) => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "metrics",
            &problem.to_string(),
            "report this as a bug",
        ),
    }
}

/// Always 200: an agent with a broken part still does the rest, and must not be restarted for it.
async fn health(State(telemetry): State<Telemetry>) -> Response {
    Json(telemetry.health.report()).into_response()
}

async fn guard(State(telemetry): State<Telemetry>, request: Request, next: Next) -> Response {
    let Some(token) = &telemetry.token else {
        return next.run(request).await;
    };
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if given.is_some_and(|given| same(given, token.as_bytes())) {
        return next.run(request).await;
    }
    error(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "a bearer token is needed",
        "send Authorization: Bearer with the token of telemetry.token_file",
    )
}

/// Compares without telling by its time where the first difference lies.
fn same(given: &[u8], token: &[u8]) -> bool {
    given.len() == token.len()
        && given
            .iter()
            .zip(token)
            .fold(0, |differences, (a, b)| differences | (a ^ b))
            == 0
}

fn error(status: StatusCode, code: &str, message: &str, hint: &str) -> Response {
    (
        status,
        Json(json!({"error": {"code": code, "message": message, "hint": hint}})),
    )
        .into_response()
}
