//! `GET /api/logs/stream`: events as they come, one JSON object a message.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::SinkExt as _;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use super::choice::Choice;
use super::fan::Frame;
use super::sse::Wanted;
use super::{Place, place};
use crate::http::Api;
use crate::http::extract::Params;
use crate::http::problem::Problem;

/// Clients have nothing to say but closings and pings.
const MAX_MESSAGE: usize = 4 * 1024;
/// Memory of an idle client: the buffer for what it says...
const READ_BUFFER: usize = 1024;
/// ...and what is collected before it is sent.
const WRITE_BUFFER: usize = 16 * 1024;
/// Without events the client is asked whether it is still there...
const PING: Duration = Duration::from_secs(20);

/// Events as they come, over a WebSocket.
///
/// Each message is one object: `log`, `container_id`, `timestamp`, `seq`, and the fields of every output. A message with
/// `missed` says how many events went by too fast to be shown, one with `error` why there will be none.
#[utoipa::path(
    get,
    path = "/api/logs/stream",
    tag = "live",
    params(Wanted),
    responses(
        (status = 101, description = "A WebSocket"),
        (status = 426, description = "The request does not ask for a WebSocket", body = crate::http::problem::ErrorBody),
    )
)]
pub(in crate::http) async fn stream(
    State(api): State<Api>,
    Params(wanted): Params<Wanted>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|problem| {
        Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "not_a_websocket",
            problem.body_text(),
            "connect with a WebSocket, or use GET /api/events",
        )
    })?;
    let place = place(&api)?;
    // A client of the seeds is told over the socket that there is no such container.
    let choice = wanted.choice(&api);
    let upgrade = upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER);
    Ok(upgrade.on_upgrade(move |socket| async move {
        match choice {
            Ok(choice) => watch(socket, &api, &choice, place).await,
            Err(problem) => refuse(socket, &wanted, &problem).await,
        }
    }))
}

async fn refuse(mut socket: WebSocket, wanted: &Wanted, problem: &Problem) {
    let text = json!({
        "error": problem.message,
        "code": problem.code,
        "hint": problem.hint,
        "container_id": wanted.container_id,
    });
    if socket
        .send(Message::Text(text.to_string().into()))
        .await
        .is_ok()
    {
        close(socket, close_code::POLICY, "refused").await;
    }
}

async fn watch(mut socket: WebSocket, api: &Api, choice: &Choice, _place: Place) {
    let mut live = api.fan().join();
    let mut asked = false;
    loop {
        let received = tokio::select! {
            () = api.shutdown().triggered() => {
                return close(socket, close_code::AWAY, "the agent stops").await;
            }
            received = live.recv() => received,
            said = socket.recv() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // Pings are answered by the protocol itself; whatever it says, it is there.
                Some(Ok(_)) => {
                    asked = false;
                    continue;
                }
            },
            () = tokio::time::sleep(PING) => {
                if asked {
                    return;
                }
                asked = true;
                if socket.send(Message::Ping(Default::default())).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let sent = match received {
            // It was too slow for what comes.
            Err(RecvError::Lagged(_)) => {
                tracing::debug!("a stream is cut off: its reader is too slow");
                return close(socket, close_code::AGAIN, "too slow").await;
            }
            Err(RecvError::Closed) => {
                return close(socket, close_code::AWAY, "the agent stops").await;
            }
            Ok(frame) => match &*frame {
                Frame::Anew => return close(socket, close_code::RESTART, "begun anew").await,
                Frame::Missed(events) => {
                    let text = json!({ "missed": events }).to_string();
                    socket.send(Message::Text(text.into())).await
                }
                Frame::Events(encoded) => {
                    let mut sent = Ok(());
                    for object in encoded.objects(choice, 0) {
                        sent = socket.feed(Message::Text(object)).await;
                        if sent.is_err() {
                            break;
                        }
                    }
                    match sent {
                        Ok(()) => socket.flush().await,
                        failed => failed,
                    }
                }
            },
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Says why it ends; whether the other side hears it is its own business.
async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    let _ = socket.send(Message::Close(Some(frame))).await;
}
