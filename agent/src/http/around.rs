//! `/api/logs/around`: an event and what stands around it in its stream.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::extract::Params;
use super::problem::Problem;

/// Events before and after, at most.
const MAX_LINES: usize = 200;

/// Which event.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Its id, as every event and every quoted line has one.
    event_id: String,
    /// So many events before it, and as many after it.
    #[serde(default = "usual_lines")]
    #[param(minimum = 0, maximum = 200, default = 10)]
    lines: usize,
}

fn usual_lines() -> usize {
    10
}

/// An event among its neighbours.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it is written by hand; this is its description")]
pub(super) struct Around {
    /// The events of its stream, in order, as every output writes them.
    events: Vec<serde_json::Value>,
    /// Which of them is the one that was asked for.
    place: usize,
}

/// An event with what its stream wrote just before and after it.
#[utoipa::path(
    get,
    path = "/api/logs/around",
    tag = "logs",
    params(Wanted),
    responses(
        (status = 200, body = Around),
        (status = 404, description = "There is no such event", body = super::problem::ErrorBody),
    )
)]
pub(super) async fn around(
    State(api): State<Api>,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Problem> {
    if wanted.lines > MAX_LINES {
        return Err(Problem::value(
            format!("lines is {}", wanted.lines),
            format!("use 0 to {MAX_LINES}"),
        ));
    }
    let mut lines = api.lines()?;
    let found = api
        .read(move |reader| {
            let Some((batch, place)) = reader.neighbours(&wanted.event_id, wanted.lines)? else {
                return Ok(None);
            };
            // Written by hand, because the events are JSON already.
            let mut body = b"{\"events\":[".to_vec();
            for (at, event) in batch.events.iter().enumerate() {
                if at > 0 {
                    body.push(b',');
                }
                lines.unnumbered(&batch, event, &mut body);
            }
            body.extend_from_slice(format!("],\"place\":{place}}}").as_bytes());
            Ok(Some(body))
        })
        .await?;
    let body = found.ok_or_else(|| {
        Problem::unknown(
            "event_not_found",
            "there is no such event",
            "it may have gone for age or room; GET /api/logs/raw?events=true tells the ids of those that are stored",
        )
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}
