//! What every listener of the agent has in common: who may ask, and how a refusal reads.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

/// Asks every request to `router` for a bearer token, if there is one to ask for. `setting` names the configuration key of
/// the token's file.
pub fn guarded(router: Router, token: Option<&str>, setting: &'static str) -> Router {
    let Some(token) = token else {
        return router;
    };
    let guard = Guard {
        token: Arc::from(token),
        setting,
    };
    router.layer(middleware::from_fn_with_state(guard, check))
}

#[derive(Clone)]
struct Guard {
    token: Arc<str>,
    setting: &'static str,
}

async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if given.is_some_and(|given| same(given, guard.token.as_bytes())) {
        return next.run(request).await;
    }
    error(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "a bearer token is needed",
        &format!(
            "send Authorization: Bearer with the token of {}",
            guard.setting
        ),
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

/// A refusal: a word for programs, what is wrong, and what to do about it. Clients of FastAPI services find it in `detail`.
pub fn error(status: StatusCode, code: &str, message: &str, hint: &str) -> Response {
    (status, Json(body(code, message, hint))).into_response()
}

/// The body of a refusal.
pub fn body(code: &str, message: &str, hint: &str) -> Value {
    json!({
        "error": {"code": code, "message": message, "hint": hint},
        "detail": message,
    })
}
