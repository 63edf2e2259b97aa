//! `GET /api/events`: server-sent events. Their ids are the store's sequence numbers, so that a client which comes back
//! with `Last-Event-ID` gets what it has missed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;

use super::choice::Choice;
use super::fan::{Encoded, Frame};
use super::{Place, ServerSentEvent, past, place};
use crate::http::Api;
use crate::http::extract::Params;
use crate::http::logs::level_of;
use crate::http::problem::Problem;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Without events something is said all the same, so that both sides see a connection that is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Wanted {
    /// Of this container: its id or the beginning of it, its name, its pod, or the path of a file.
    pub(super) container_id: Option<String>,
    /// At least so severe: trace, debug, info, notice, warn, error, fatal.
    #[param(pattern = "^(trace|debug|info|notice|warn|error|fatal)$")]
    level: Option<String>,
    /// Of this category; `unclassified` is one.
    category: Option<String>,
    /// Go on after the event with this id, as the header `Last-Event-ID` does, which a page cannot always send.
    last_event_id: Option<u64>,
}

impl Wanted {
    pub(super) fn choice(&self, api: &Api) -> Result<Choice, Problem> {
        let of = match &self.container_id {
            None => None,
            Some(name) => Some(api.which(name)?),
        };
        Ok(Choice {
            of,
            level: level_of(self.level.as_deref())?,
            category: self.category.clone(),
        })
    }
}

/// Events as they come.
///
/// Each has its sequence number as `id` and an object as `data`: `log`, `container_id`, `seq`, and the fields of every
/// output. An event of the type `missed` says how many went by too fast to be shown.
#[utoipa::path(
    get,
    path = "/api/events",
    tag = "live",
    params(Wanted, ("Last-Event-ID" = Option<String>, Header, description = "Go on after the event with this id")),
    responses((status = 200, description = "Server-sent events, until one side ends it", body = ServerSentEvent, content_type = "text/event-stream"))
)]
pub(in crate::http) async fn events(
    State(api): State<Api>,
    Params(wanted): Params<Wanted>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let choice = wanted.choice(&api)?;
    let after = match headers.get(LAST_EVENT_ID) {
        None => wanted.last_event_id,
        Some(id) => Some(
            id.to_str()
                .ok()
                .and_then(|id| id.parse().ok())
                .ok_or_else(|| {
                    Problem::value(
                        "Last-Event-ID is not an id of this stream",
                        "send the id of the last event that was received, or leave the header out",
                    )
                })?,
        ),
    };
    // An id beyond the newest event is of another store.
    let after = after.filter(|after| *after < api.reader().bounds().1);
    let place = place(&api)?;
    let watcher = Watcher {
        live: api.fan().join(),
        from: after.map(|after| after.saturating_add(1)),
        api,
        choice,
        past: Vec::new(),
        step: Step::Hello,
        _place: place,
    };
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(watcher.stream())).into_response())
}

/// One who watches.
struct Watcher {
    api: Api,
    live: Receiver<Arc<Frame>>,
    choice: Choice,
    /// The first event that was not sent; none: whatever comes next.
    from: Option<u64>,
    past: Vec<Encoded>,
    step: Step,
    _place: Place,
}

enum Step {
    /// The answer begins.
    Hello,
    /// What is stored is sent before what is new.
    Past,
    /// What is new.
    Live,
}

impl Watcher {
    fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        unfold(self, |mut watcher| async move {
            let piece = watcher.next().await?;
            Some((Ok(piece), watcher))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let piece = match self.step {
                Step::Hello => {
                    self.step = if self.from.is_some() {
                        Step::Past
                    } else {
                        Step::Live
                    };
                    // At once, so that the client knows that it listens; and how long to wait before it comes back.
                    Bytes::from_static(b": logsieve\nretry: 1000\n\n")
                }
                Step::Past => self.past().await?,
                Step::Live => self.live().await?,
            };
            if !piece.is_empty() {
                return Some(piece);
            }
        }
    }

    /// The next piece of what is stored; after the last, what has been sent round meanwhile is taken up.
    async fn past(&mut self) -> Option<Bytes> {
        let from = self.from?;
        if self.past.is_empty() {
            // Before the store is asked: what is published after this comes round.
            let live = self.api.fan().join();
            // What cannot be read is not waited for.
            self.past = past::after(&self.api, from).await.unwrap_or_default();
            self.past.reverse();
            if self.past.is_empty() {
                self.live = live;
                self.step = Step::Live;
            }
        }
        let Some(next) = self.past.pop() else {
            return Some(Bytes::new());
        };
        self.from = Some(next.end().max(from));
        Some(next.sse(&self.choice, from))
    }

    async fn live(&mut self) -> Option<Bytes> {
        let received = tokio::select! {
            () = self.api.shutdown().triggered() => return None,
            received = tokio::time::timeout(KEEP_ALIVE, self.live.recv()) => received,
        };
        match received {
            Err(_) => Some(Bytes::from_static(b":\n\n")),
            // It was too slow for what comes; it may come back with the last id.
            Ok(Err(RecvError::Lagged(_))) => {
                tracing::debug!("a stream is cut off: its reader is too slow");
                None
            }
            Ok(Err(RecvError::Closed)) => None,
            Ok(Ok(frame)) => match &*frame {
                Frame::Anew => None,
                Frame::Missed(events) => {
                    Some(format!("event: missed\ndata: {{\"events\":{events}}}\n\n").into())
                }
                Frame::Events(encoded) => {
                    let from = self.from.unwrap_or(0);
                    self.from = Some(encoded.end().max(from));
                    Some(encoded.sse(&self.choice, from))
                }
            },
        }
    }
}
