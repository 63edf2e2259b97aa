//! `POST /api/classify`: what a line is about, and how that was found out; or many lines at once.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::extract::Payload;
use super::journey::{By, Journey, Judge, Step};
use super::problem::Problem;
use crate::flow::UNCLASSIFIED;

/// Lines that one request may hold.
const MAX_LINES: usize = 10_000;

/// One line, or many.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClassifyRequest {
    /// One line, with or without a container runtime's wrapper.
    #[schema(min_length = 1)]
    log_message: Option<String>,
    /// Many lines; then `results` holds an answer for each.
    #[schema(min_items = 1, max_items = 10_000)]
    lines: Option<Vec<String>>,
}

/// What a line is about.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Classified {
    /// The line.
    log_analyzed: String,
    /// The category, or `unclassified`.
    final_category: String,
    /// The stage that decided, or the last that looked.
    pipeline_stage: By,
    /// Probability that the category is right; 0 where there is none.
    final_confidence: f32,
    /// How long it took.
    processing_time_ms: u64,
    /// What each stage did.
    journey: [Step; 3],
    /// How bad it is.
    level: &'static str,
    /// Why it has this category.
    reason: String,
    /// The line with its variables masked.
    template: String,
    /// The template's id.
    template_id: String,
}

/// What many lines are about.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ManyClassified {
    /// One for each line, in order.
    results: Vec<Classified>,
    /// How long all of it took.
    processing_time_ms: u64,
}

/// One answer, or many.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Answer {
    /// For `log_message`.
    One(Box<Classified>),
    /// For `lines`.
    Many(ManyClassified),
}

/// What a line is about, and how that was found out.
///
/// Nothing is stored: the line does not come from a container of this host.
#[utoipa::path(
    post,
    path = "/api/classify",
    tag = "classify",
    request_body = ClassifyRequest,
    responses((status = 200, body = Answer))
)]
pub(super) async fn classify(
    State(api): State<Api>,
    Payload(request): Payload<ClassifyRequest>,
) -> Result<Response, Problem> {
    let (lines, many) = match (request.log_message, request.lines) {
        (Some(line), None) => (vec![line], false),
        (None, Some(lines)) if lines.len() <= MAX_LINES && !lines.is_empty() => (lines, true),
        (None, Some(lines)) => {
            return Err(Problem::value(
                format!("there are {} lines", lines.len()),
                format!("send 1 to {MAX_LINES} at once"),
            ));
        }
        (None, None) | (Some(_), Some(_)) => {
            return Err(Problem::value(
                "either log_message or lines is needed",
                "send {\"log_message\": \"...\"}, or {\"lines\": [...]} for many",
            ));
        }
    };
    if !many && lines.iter().any(|line| line.trim().is_empty()) {
        return Err(Problem::bad(
            "empty",
            "Log message cannot be empty",
            "send the line that is to be classified",
        ));
    }
    let classifier = api.classifier();
    let until = Instant::now() + api.options().timeout / 2;
    let body = api
        .judge(move || {
            let started = Instant::now();
            let mut results: Vec<Classified> = classifier.with(|judge| {
                lines
                    .into_iter()
                    .map(|line| one(judge, line, until))
                    .collect()
            });
            let answer = match results.pop() {
                Some(only) if !many => Answer::One(Box::new(only)),
                last => {
                    results.extend(last);
                    Answer::Many(ManyClassified {
                        results,
                        processing_time_ms: milliseconds(started),
                    })
                }
            };
            // Written here, where others need not wait for it.
            serde_json::to_vec(&answer)
        })
        .await?;
    match body {
        Ok(body) => Ok((
            [(axum::http::header::CONTENT_TYPE, "application/json")],
            body,
        )
            .into_response()),
        Err(problem) => Ok(Json(problem.to_string()).into_response()),
    }
}

fn one(judge: &mut Judge<'_>, line: String, until: Instant) -> Classified {
    let started = Instant::now();
    let journey = judge.journey(line.as_bytes(), until);
    let Journey {
        category,
        by,
        confidence,
        reason,
        level,
        template,
        template_id,
        steps,
    } = journey;
    Classified {
        log_analyzed: line,
        final_category: category.unwrap_or_else(|| UNCLASSIFIED.to_owned()),
        pipeline_stage: by,
        final_confidence: confidence,
        processing_time_ms: milliseconds(started),
        journey: steps,
        level,
        reason,
        template,
        template_id: template_id.to_string(),
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
