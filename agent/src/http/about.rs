//! The agent about itself: that it runs, which parts work, what became of every line.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Api;
use super::problem::Problem;
use crate::store::{Audit, Reader};
use crate::ui;

/// That it runs.
#[derive(Serialize, ToSchema)]
pub(super) struct Root {
    /// In words.
    message: &'static str,
    /// `healthy`, or `degraded` where a part does not work.
    status: &'static str,
    /// The agent's version.
    version: &'static str,
}

/// The page for a browser; for programs, that the agent runs.
#[utoipa::path(
    get,
    path = "/",
    tag = "agent",
    responses((status = 200, content((Root = "application/json"), (String = "text/html"))))
)]
pub(super) async fn root(State(api): State<Api>, asked: HeaderMap) -> Response {
    if ui::is_wanted(&asked) {
        return ui::page(&asked);
    }
    let report = api.health().report();
    let root = Json(Root {
        message: "logsieve is running",
        status: word(report.status),
        version: report.version,
    });
    ([(header::VARY, "accept")], root).into_response()
}

/// The state of the agent and its parts.
#[derive(Serialize, ToSchema)]
pub(super) struct HealthReport {
    /// `healthy`, or `degraded` where a part does not work.
    status: &'static str,
    /// The agent's version.
    version: &'static str,
    /// Seconds since the start.
    uptime_s: u64,
    /// Whether lines can be classified.
    classifier_ready: bool,
    /// Which stages can judge.
    models_loaded: Models,
    /// The parts by name: `running` or `stopped`.
    services: BTreeMap<String, &'static str>,
    /// The parts by name, with what they do or why they do not, and the remedy.
    components: BTreeMap<String, Component>,
    /// Where things are.
    #[schema(value_type = Object)]
    endpoints: Value,
}

/// Which stages can judge.
#[derive(Serialize, ToSchema)]
pub(super) struct Models {
    /// The rules.
    regex_patterns: bool,
    /// The BERT.
    bert_model: bool,
    /// The LLM.
    llm_client: bool,
}

/// One part of the agent.
#[derive(Serialize, ToSchema)]
pub(super) struct Component {
    /// Whether it does its work; a part that is missing on purpose is fine.
    ok: bool,
    /// What it does, or why it does not, and the remedy.
    detail: String,
}

/// Which parts work, and what to do about those that do not.
///
/// Always 200: an agent with a broken part still does the rest.
#[utoipa::path(get, path = "/health", tag = "agent", responses((status = 200, body = HealthReport)))]
pub(super) async fn health(State(api): State<Api>) -> Json<HealthReport> {
    let report = api.health().report();
    let components: BTreeMap<String, Component> = report
        .components
        .into_iter()
        .map(|(name, part)| {
            let component = Component {
                ok: part.ok,
                detail: part.detail,
            };
            (name.into_owned(), component)
        })
        .collect();
    let services = components
        .iter()
        .map(|(name, part)| (name.clone(), if part.ok { "running" } else { "stopped" }))
        .collect();
    Json(HealthReport {
        status: word(report.status),
        version: report.version,
        uptime_s: report.uptime_s,
        classifier_ready: true,
        models_loaded: Models {
            regex_patterns: true,
            bert_model: api.classifier().has_model(),
            llm_client: api.llm().is_some(),
        },
        services,
        components,
        endpoints: json!({
            "docs": "/docs",
            "containers": "/api/containers",
            "logs": "/api/logs/raw",
            "stream": "/api/logs/stream",
            "query": "/api/logs/query",
            "classify": "/api/classify",
        }),
    })
}

/// The seeds' word for it.
fn word(status: &'static str) -> &'static str {
    if status == "ok" { "healthy" } else { status }
}

/// What became of every line and event.
///
/// read = stored + dropped + open for each stream; for each sink stored = delivered + filtered + sampled + rejected +
/// expired + pending.
#[utoipa::path(get, path = "/api/audit", tag = "agent", responses((status = 200, body = Object)))]
pub(super) async fn audit(State(api): State<Api>) -> Result<Json<Audit>, Problem> {
    api.read(Reader::audit).await.map(Json)
}
