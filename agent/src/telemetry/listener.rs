//! `/metrics` and `/health` on a listener of their own, so that Prometheus and the kubelet need no access to log text.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::{Health, Metrics};
use crate::web::{error, guarded};

/// What the two pages are made from.
#[derive(Clone)]
pub struct Telemetry {
    /// The state of the parts.
    pub health: Arc<Health>,
    /// The numbers.
    pub metrics: Arc<Metrics>,
}

/// The pages, to be served on any listener; they ask for `token`, if there is one.
pub fn router(telemetry: Telemetry, token: Option<&str>) -> Router {
    let pages = Router::new()
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
        .with_state(telemetry);
    guarded(pages, token, "telemetry.token_file")
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
