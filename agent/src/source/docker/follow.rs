//! One container: its logs, from where it was left, through stops, restarts and lost connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bollard::Docker;
use http_body_util::BodyExt;
use logline::decode::Wrapper;
use logline::event::Stream;
use tokio::sync::Notify;

use super::Position;
use super::engine::{BackOff, Shared, is_running, unix_now};
use super::frames::{Cursor, Frame, Framer};
use super::reach::{NoLogs, get_logs};
use crate::source::{Closed, Disconnected, Message, Origin, SourceId, send};

/// A container that is followed.
pub(super) struct Following {
    id: String,
    /// Something may have happened to it: look.
    pub(super) look: Notify,
    /// Nothing more comes from it.
    done: AtomicBool,
    origin: Mutex<Option<Origin>>,
}

impl Following {
    pub(super) fn new(id: String, origin: Origin) -> Self {
        Self {
            id,
            look: Notify::new(),
            done: AtomicBool::new(false),
            origin: Mutex::new(Some(origin)),
        }
    }

    /// Whether its task has ended.
    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }

    /// It has another name: what comes from now on comes under it.
    pub(super) fn rename(&self, origin: Origin) {
        *self.origin.lock().unwrap_or_else(PoisonError::into_inner) = Some(origin);
    }

    /// The origin, if it is not the one last taken.
    fn new_origin(&self) -> Option<Origin> {
        self.origin
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// Where to begin with a container.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin {
    /// With everything.
    All,
    /// With its last lines.
    Tail(u32),
    /// With what was written since this Unix second.
    Since(i64),
    /// After this frame.
    Position(Position),
}

/// Follows one container until it is removed or the receiver is gone.
pub(super) async fn follow(
    shared: Arc<Shared>,
    docker: Docker,
    following: Arc<Following>,
    begin: Begin,
) {
    shared.count(1);
    let mut task = Task {
        shared: Arc::clone(&shared),
        following,
        begin,
        cursor: Cursor::new(match begin {
            Begin::Position(position) => Some(position),
            _ => None,
        }),
        stream: None,
        half_line: None,
        told_unreadable: false,
    };
    // A receiver that is gone wants to hear no more.
    let _ = task.run(&docker).await;
    shared.count(-1);
    task.following.done.store(true, Ordering::Relaxed);
}

struct Task {
    shared: Arc<Shared>,
    following: Arc<Following>,
    begin: Begin,
    cursor: Cursor,
    /// The stream that is open now.
    stream: Option<SourceId>,
    /// A TTY's last line without its end; it comes again, longer, if the container goes on.
    half_line: Option<Vec<u8>>,
    told_unreadable: bool,
}

/// How a request for logs has ended.
enum End {
    /// The engine has sent all there is: the container does not run any more, or its log was cut off.
    Complete,
    /// The connection or the engine failed.
    Failed,
    /// The engine cannot read this container's logs.
    Unreadable,
}

impl Task {
    async fn run(&mut self, docker: &Docker) -> Result<(), Disconnected> {
        self.open()?;
        let mut back_off = BackOff::new();
        let mut stood = false;
        loop {
            let before = self.cursor.position();
            let end = self.read().await?;
            if self.cursor.position() != before {
                back_off = BackOff::new();
            }
            let running = is_running(docker, &self.following.id).await;
            // Engines before 23 may end what they send to a follower just before a container's last lines, when it ends:
            // what is asked for while it stands still is whole.
            let stood_before = std::mem::replace(&mut stood, matches!(running, Ok(Some(false))));
            match (end, running) {
                (_, Ok(None)) => break,
                (End::Complete, Ok(Some(false))) if !stood_before => {}
                // A restart may be told while this waits.
                (End::Complete | End::Unreadable, Ok(Some(false)))
                | (End::Unreadable, Ok(Some(true))) => {
                    self.following.look.notified().await;
                    stood = false;
                    back_off = BackOff::new();
                }
                (End::Complete | End::Failed, _) | (_, Err(_)) => {
                    tokio::select! {
                        () = tokio::time::sleep(back_off.pause()) => {}
                        () = self.following.look.notified() => {}
                    }
                }
            }
        }
        if let Some(line) = self.half_line.take() {
            self.give(&Frame {
                stream: Stream::Stdout,
                bytes: &line,
            })?;
        }
        self.close(Closed::ContainerGone)
    }

    /// Requests the logs from where they were left, and sends them on until they end.
    async fn read(&mut self) -> Result<End, Disconnected> {
        let since = self.cursor.ask_again();
        let (since, tail) = match (since, self.begin) {
            (Some(since), _) => (since, None),
            (None, Begin::Tail(lines)) => (0, Some(lines)),
            (None, Begin::Since(since)) => (since, None),
            (None, Begin::All | Begin::Position(_)) => (0, None),
        };
        let tail = tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        let path = format!(
            "/containers/{}/logs?follow=1&stdout=1&stderr=1&timestamps=1&since={since}&tail={tail}",
            self.following.id
        );
        let asked_at = unix_now();
        let mut body = match get_logs(&self.shared.config.host, &path).await {
            Ok(body) => body,
            Err(NoLogs::Answer { status, message }) if is_unreadable(status, &message) => {
                self.tell_unreadable(&message);
                return Ok(End::Unreadable);
            }
            Err(error) => {
                tracing::debug!(container = self.following.id, %error, "no logs now");
                return Ok(End::Failed);
            }
        };
        let whole = matches!(self.begin, Begin::Tail(1..));
        if matches!(self.begin, Begin::Tail(_)) {
            // If nothing comes before the next request, that one must not begin any later than this one.
            self.begin = Begin::Since(asked_at);
        }
        self.half_line = None;
        let mut framer = Framer::new();
        loop {
            match body.frame().await {
                Some(Ok(chunk)) => {
                    if let Some(bytes) = chunk.data_ref() {
                        framer.push(bytes, |frame| self.give(&frame))?;
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(container = self.following.id, %error, "the stream of logs has broken off");
                    return Ok(End::Failed);
                }
                None => {
                    if whole && self.cursor.position().is_none() {
                        // There was nothing yet: what there will be is new.
                        self.begin = Begin::All;
                    }
                    self.half_line = framer.rest();
                    return Ok(End::Complete);
                }
            }
        }
    }

    /// Sends a frame, unless it was sent before.
    fn give(&mut self, frame: &Frame<'_>) -> Result<(), Disconnected> {
        let counters = &self.shared.counters;
        let Some(position) = self.cursor.take(frame) else {
            counters.docker_repeats_skipped.inc();
            return Ok(());
        };
        counters.docker_records.inc();
        counters.docker_bytes.add(frame.bytes.len() as u64);
        self.open()?;
        let Some(id) = self.stream else { return Ok(()) };
        let message = Message::Record {
            id,
            stream: frame.stream,
            bytes: frame.bytes.to_vec(),
            position,
        };
        send(&self.shared.sender, message)
    }

    /// Opens the stream, or another one where the container was renamed.
    fn open(&mut self) -> Result<(), Disconnected> {
        let Some(origin) = self.following.new_origin() else {
            return Ok(());
        };
        let follows = self.stream;
        self.close(Closed::Renamed)?;
        let id = SourceId::next();
        self.stream = Some(id);
        let message = Message::Opened {
            id,
            origin: Arc::new(origin),
            wrapper: Wrapper::DockerApi(Stream::Stdout),
            file: None,
            resumed: None,
            follows,
        };
        send(&self.shared.sender, message)
    }

    fn close(&mut self, reason: Closed) -> Result<(), Disconnected> {
        match self.stream.take() {
            Some(id) => send(&self.shared.sender, Message::Closed { id, reason }),
            None => Ok(()),
        }
    }

    fn tell_unreadable(&mut self, message: &str) {
        if !self.told_unreadable {
            self.told_unreadable = true;
            self.shared.counters.docker_unreadable_driver.inc();
            tracing::warn!(
                container = self.following.id,
                "the engine cannot read this container's logs: give it a log driver that can be read (json-file, local, journald). The engine says: {message}"
            );
        }
    }
}

/// Whether the engine says that the container's log driver cannot be read.
fn is_unreadable(status: u16, message: &str) -> bool {
    status == 501 || message.contains("does not support reading")
}
