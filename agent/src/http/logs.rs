//! `/api/logs/raw` and `/api/logs/stats`: the stored lines, and how many there are.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use logline::level::Level;
use logline::time::{self, TimeContext, Timestamp};
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::extract::Params;
use super::lines::template_id;
use super::problem::Problem;
use super::{Api, containers};
use crate::escape::escape_json;
use crate::store::{Query, Reader, StreamLedger};
use crate::telemetry::clock;

/// Events that one answer may hold.
const MAX_TAIL: usize = 10_000;
/// Bytes that one answer may hold, before they are written as JSON.
const MAX_BYTES: usize = 8 << 20;

/// Which lines are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Of this container: its id or the beginning of it, its name, its pod, or the path of a file. Of all without it.
    container_id: Option<String>,
    /// Not before this time: RFC 3339, or seconds or milliseconds since 1970.
    from_ts: Option<String>,
    /// Before this time.
    to_ts: Option<String>,
    /// The newest so many events.
    #[serde(default = "usual_tail")]
    #[param(minimum = 1, maximum = 10_000, default = 100)]
    tail: usize,
    /// At least so severe: trace, debug, info, notice, warn, error, fatal.
    #[param(pattern = "^(trace|debug|info|notice|warn|error|fatal)$")]
    level: Option<String>,
    /// Of this category; `unclassified` is one.
    category: Option<String>,
    /// Of this template, by its id.
    #[param(pattern = "^[0-9a-f]{16}$")]
    template_id: Option<String>,
    /// With this text in them.
    contains: Option<String>,
    /// Whether the events are told one by one too, with everything that is known of them.
    #[serde(default)]
    #[param(default = false)]
    events: bool,
}

fn usual_tail() -> usize {
    100
}

/// The lines.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it is written by hand; this is its description")]
pub(super) struct LogResponse {
    /// The lines, oldest first, each behind its time.
    logs: String,
    /// The container that was asked for; empty for all.
    container_id: String,
    /// When this was answered.
    timestamp: String,
    /// There is more, which did not fit or was not found in time.
    truncated: bool,
    /// The events one by one, where they were asked for.
    #[schema(required = false)]
    events: Vec<serde_json::Value>,
}

/// Stored lines, the newest of those that are wanted.
#[utoipa::path(
    get,
    path = "/api/logs/raw",
    tag = "logs",
    params(Wanted),
    responses(
        (status = 200, body = LogResponse),
        (status = 404, description = "There is no such container", body = super::problem::ErrorBody),
    )
)]
pub(super) async fn raw(
    State(api): State<Api>,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Problem> {
    if !(1..=MAX_TAIL).contains(&wanted.tail) {
        return Err(Problem::value(
            format!("tail is {}", wanted.tail),
            format!("use 1 to {MAX_TAIL}"),
        ));
    }
    let streams = match &wanted.container_id {
        None => None,
        Some(name) => {
            let which = api.which(name)?;
            let all = api.reader().streams();
            let ids = all.iter().filter(|stream| which.is(stream));
            Some(ids.map(|stream| stream.id.clone()).collect())
        }
    };
    let templates = match &wanted.template_id {
        None => None,
        Some(id) => Some(vec![template_id(id).ok_or_else(|| {
            Problem::value(
                "template_id is not the id of a template",
                "an id has 16 hexadecimal digits",
            )
        })?]),
    };
    let until = Instant::now() + api.options().timeout / 2;
    let query = Query {
        from: time_of("from_ts", wanted.from_ts.as_deref())?,
        to: time_of("to_ts", wanted.to_ts.as_deref())?,
        streams,
        templates,
        categories: wanted.category.map(|category| vec![category]),
        level: level_of(wanted.level.as_deref())?,
        backwards: true,
        until: Some(until),
        ..Query::default()
    };
    let mut lines = api.lines()?;
    let (tail, with_events) = (wanted.tail, wanted.events);
    let contains = wanted.contains.unwrap_or_default();
    let found = api
        .read(move |reader| {
            let needle = Finder::new(contains.as_bytes());
            let mut found = Found::default();
            let mut text = Vec::new();
            reader.query(&query, |hit| {
                if needle.find(hit.batch.get(hit.event.text)).is_none() {
                    return match Instant::now() >= until {
                        true => ControlFlow::Break(()),
                        false => ControlFlow::Continue(()),
                    };
                }
                if found.lines.len() == tail || found.bytes > MAX_BYTES {
                    found.truncated = found.bytes > MAX_BYTES;
                    return ControlFlow::Break(());
                }
                text.clear();
                lines.plain(hit.batch, hit.event, &mut text);
                found.bytes += text.len();
                found.lines.push(text.clone());
                if with_events {
                    let mut object = Vec::new();
                    lines.object(hit.seq, hit.batch, hit.event, &mut object);
                    found.bytes += object.len();
                    found.events.push(object);
                }
                ControlFlow::Continue(())
            })?;
            found.truncated |= Instant::now() >= until;
            Ok(found)
        })
        .await?;
    let container = wanted.container_id.unwrap_or_default();
    let body = found.json(&container, with_events);
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// What was found, newest first.
#[derive(Default)]
struct Found {
    lines: Vec<Vec<u8>>,
    events: Vec<Vec<u8>>,
    bytes: usize,
    truncated: bool,
}

impl Found {
    /// The answer. Written by hand, because the events are JSON already.
    fn json(&self, container: &str, with_events: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes + self.bytes / 4 + 256);
        out.extend_from_slice(b"{\"logs\":\"");
        for line in self.lines.iter().rev() {
            escape_json(line, &mut out);
        }
        out.extend_from_slice(b"\",\"container_id\":\"");
        escape_json(container.as_bytes(), &mut out);
        out.extend_from_slice(b"\",\"timestamp\":\"");
        clock::now().write_rfc3339(&mut out);
        out.extend_from_slice(b"\",\"truncated\":");
        out.extend_from_slice(if self.truncated { b"true" } else { b"false" });
        if with_events {
            out.extend_from_slice(b",\"events\":[");
            for (place, event) in self.events.iter().rev().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(event);
            }
            out.push(b']');
        }
        out.push(b'}');
        out
    }
}

/// Whose lines are counted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Whose {
    /// Of this container: its id or the beginning of it, its name, its pod, or the path of a file. Of all without it.
    container_id: Option<String>,
}

/// How many lines there are.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct LogStats {
    /// The container's id; empty for all.
    id: String,
    /// Its name; the host's for all.
    name: String,
    /// `running`, `exited`, ...
    status: String,
    /// The day on which it was made, or `unknown`.
    created: String,
    /// Its image.
    image: String,
    /// Lines read.
    log_lines: i64,
    /// Events that they became.
    events: u64,
    /// Events stored, in the life of the store.
    stored: u64,
    /// Events not stored, by reason.
    dropped: BTreeMap<String, u64>,
    /// Bytes read.
    bytes: u64,
    /// Streams that are known.
    streams: usize,
}

/// How many lines there are, of one container or of all.
#[utoipa::path(
    get,
    path = "/api/logs/stats",
    tag = "logs",
    params(Whose),
    responses(
        (status = 200, body = LogStats),
        (status = 404, description = "There is no such container", body = super::problem::ErrorBody),
    )
)]
pub(super) async fn stats(
    State(api): State<Api>,
    Params(whose): Params<Whose>,
) -> Result<Json<LogStats>, Problem> {
    let audit = api.read(Reader::audit).await?;
    let Some(name) = whose.container_id else {
        return Ok(Json(LogStats::new(
            &audit.total,
            audit.streams.len(),
            LogStats {
                name: api.host().to_owned(),
                status: "running".to_owned(),
                created: "unknown".to_owned(),
                ..LogStats::default()
            },
        )));
    };
    let container = containers::find(&api, &name).await?;
    let which = super::Which::new(&container.id);
    let mut total = StreamLedger::default();
    let mut streams = 0;
    for stream in api.reader().streams() {
        if !which.is(&stream) {
            continue;
        }
        let own = audit.streams.iter().filter(|known| known.id == stream.id);
        for known in own {
            total.add(&known.ledger);
            streams += 1;
        }
    }
    Ok(Json(LogStats::new(
        &total,
        streams,
        LogStats {
            id: container.id,
            name: container.name,
            status: container.status,
            created: container.created,
            image: container.image,
            ..LogStats::default()
        },
    )))
}

impl LogStats {
    fn new(ledger: &StreamLedger, streams: usize, of: Self) -> Self {
        Self {
            log_lines: ledger.lines,
            events: ledger.events,
            stored: ledger.stored,
            dropped: ledger.dropped.clone(),
            bytes: ledger.bytes,
            streams,
            ..of
        }
    }
}

/// The level of this name.
pub(super) fn level_of(name: Option<&str>) -> Result<Option<Level>, Problem> {
    let Some(name) = name else { return Ok(None) };
    let known = Level::ALL.into_iter().find(|level| level.as_str() == name);
    known.map(Some).ok_or_else(|| {
        Problem::value(
            "level is not the name of one",
            "use trace, debug, info, notice, warn, error or fatal",
        )
    })
}

/// The time that the parameter `name` says.
pub(super) fn time_of(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let context = TimeContext {
        reference: None,
        utc_offset_s: 0,
    };
    // A `+` that was not percent-encoded reads as a space.
    let repaired = text.trim().replace(' ', "+");
    let read = |text: &str| {
        time::parse(text.as_bytes(), &context).or_else(|| time::epoch(text.as_bytes(), &context))
    };
    match read(text).or_else(|| read(&repaired)) {
        Some(time) => Ok(Some(time)),
        None => Err(Problem::value(
            format!("{name} is not a time"),
            "write it as RFC 3339 (2026-11-20T17:00:00Z), or as seconds or milliseconds since 1970",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_clients_write_them() {
        let at = |text: &str| {
            time_of("from_ts", Some(text))
                .ok()
                .flatten()
                .map(|time| time.0)
        };
        let wanted = Some(1_790_000_000_000_000_000);
        for text in [
            "2026-09-21T14:13:20Z",
            "2026-09-21T14:13:20.000Z",
            "2026-09-21T16:13:20+02:00",
            "2026-09-21T16:13:20 02:00",
            "2026-09-21T14:13:20",
            "2026-09-21 14:13:20",
            "1790000000",
            "1790000000000",
        ] {
            assert_eq!(at(text), wanted, "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "-1e99",
            "99999999999999999999",
            "0x10",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
        assert_eq!(time_of("from_ts", None), Ok(None));
    }
}
