//! The API: answers about the logs, read from the store; nothing here touches the flow.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};

use crate::store::Reader;
use crate::web::{error, guarded};

/// The pages of the API, to be served on any listener; they ask for `token`, if there is one.
pub fn router(reader: Reader, token: Option<&str>) -> Router {
    let pages = Router::new()
        .route("/api/audit", get(audit))
        .fallback(|| async {
            error(
                StatusCode::NOT_FOUND,
                "not_found",
                "there is no such page",
                "ask for /api/audit",
            )
        })
        .with_state(reader);
    guarded(pages, token, "api.token_file")
}

/// What became of every line and event: read = stored + dropped + open for each stream, and for each sink
/// stored = delivered + filtered + sampled + rejected + expired + pending.
async fn audit(State(reader): State<Reader>) -> Response {
    let unavailable = |why: &str| {
        error(
            StatusCode::SERVICE_UNAVAILABLE,
            "store_unavailable",
            why,
            "see /health on the metrics listener",
        )
    };
    // It reads the file, which may take its time.
    match tokio::task::spawn_blocking(move || reader.audit()).await {
        Ok(Ok(audit)) => Json(audit).into_response(),
        Ok(Err(fault)) => unavailable(&fault.to_string()),
        Err(_) => unavailable("the audit was broken off"),
    }
}
