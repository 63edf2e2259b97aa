//! One thread that encodes what is published and sends it round.

use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use logline::level::Level;
use tokio::sync::broadcast::{self, Receiver, Sender};

use super::choice::Choice;
use crate::flow::{Batch, Labelled, StreamInfo};
use crate::http::lines::Lines;
use crate::shutdown::Shutdown;
use crate::store::{Live, News, Reader};

/// Frames that may wait for the slowest watcher; who is further behind is cut off.
const FRAMES: usize = 64;
/// A frame holds so many events...
const FRAME_EVENTS: usize = 256;
/// ...or so many bytes, whichever is less.
const FRAME_BYTES: usize = 128 * 1024;
/// How often the thread looks whether it is to end.
const TICK: Duration = Duration::from_millis(500);
/// While half of the frames wait for somebody, each further one waits so long: a burst is spread, and a flood goes on at
/// its own pace in the store.
const PACE: Duration = Duration::from_millis(10);

/// What is sent round.
#[derive(Debug)]
pub(in crate::http) enum Frame {
    /// Events, encoded.
    Events(Encoded),
    /// So many events went by too fast to be shown.
    Missed(u64),
    /// The sequence numbers begin anew; nobody can go on.
    Anew,
}

/// Events in the form of server-sent events, one after the other; the JSON objects lie inside.
#[derive(Debug)]
pub(in crate::http) struct Encoded {
    text: Bytes,
    events: Vec<Entry>,
}

/// One event of them.
#[derive(Debug)]
struct Entry {
    seq: u64,
    whole: Range<usize>,
    json: Range<usize>,
    level: Level,
    category: Arc<str>,
    stream: Option<Arc<StreamInfo>>,
}

impl Encoded {
    /// The events from `from` on that `choice` wants, as server-sent events.
    pub(super) fn sse(&self, choice: &Choice, from: u64) -> Bytes {
        if choice.is_all() && self.events.first().is_some_and(|first| first.seq >= from) {
            return self.text.clone();
        }
        let mut some = Vec::new();
        for event in self.wanted(choice, from) {
            some.extend_from_slice(&self.text[event.whole.clone()]);
        }
        some.into()
    }

    /// The same as JSON objects, one by one.
    pub(super) fn objects(&self, choice: &Choice, from: u64) -> impl Iterator<Item = Utf8Bytes> {
        // What was encoded here is UTF-8.
        self.wanted(choice, from)
            .filter_map(|event| Utf8Bytes::try_from(self.text.slice(event.json.clone())).ok())
    }

    /// The sequence number after the last event.
    pub(super) fn end(&self) -> u64 {
        self.events.last().map_or(0, |last| last.seq + 1)
    }

    fn wanted(&self, choice: &Choice, from: u64) -> impl Iterator<Item = &Entry> {
        self.events.iter().filter(move |event| {
            event.seq >= from && choice.wants(event.level, &event.category, event.stream.as_deref())
        })
    }
}

/// Makes frames of events.
pub(super) struct Encoder {
    lines: Lines,
    text: Vec<u8>,
    events: Vec<Entry>,
    /// The last category, which is mostly that of the next event too.
    category: Arc<str>,
}

impl Encoder {
    pub(super) fn new(lines: Lines) -> Self {
        Self {
            lines,
            text: Vec::new(),
            events: Vec::new(),
            category: Arc::from(""),
        }
    }

    /// Adds an event; true where it is time to [`take`](Self::take) the frame.
    pub(super) fn push(&mut self, seq: u64, batch: &Batch, event: &Labelled) -> bool {
        let start = self.text.len();
        self.text.extend_from_slice(b"id: ");
        self.text.extend_from_slice(seq.to_string().as_bytes());
        self.text.extend_from_slice(b"\ndata: ");
        let json_start = self.text.len();
        self.lines.object(seq, batch, event, &mut self.text);
        let json_end = self.text.len();
        self.text.extend_from_slice(b"\n\n");
        let category = batch.labels.category(event.verdict.category);
        if *self.category != *category {
            self.category = Arc::from(category);
        }
        self.events.push(Entry {
            seq,
            whole: start..self.text.len(),
            json: json_start..json_end,
            level: event.level,
            category: Arc::clone(&self.category),
            stream: batch
                .streams()
                .get(event.stream_index as usize)
                .map(Arc::clone),
        });
        self.events.len() >= FRAME_EVENTS || self.text.len() >= FRAME_BYTES
    }

    /// The frame, if there is anything in it.
    pub(super) fn take(&mut self) -> Option<Encoded> {
        if self.events.is_empty() {
            return None;
        }
        Some(Encoded {
            text: std::mem::take(&mut self.text).into(),
            events: std::mem::take(&mut self.events),
        })
    }
}

/// Where watchers join. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::http) struct Fan {
    sender: Sender<Arc<Frame>>,
}

impl Fan {
    /// Starts the thread; it ends with the store's last event or at the shutdown.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub(in crate::http) fn spawn(
        reader: &Reader,
        lines: Lines,
        shutdown: &Shutdown,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, _) = broadcast::channel(FRAMES);
        let fan = Self {
            sender: sender.clone(),
        };
        let (live, shutdown) = (reader.live(), shutdown.clone());
        let thread = std::thread::Builder::new()
            .name("http-live".to_owned())
            .spawn(move || run(live, Encoder::new(lines), &sender, &shutdown))?;
        Ok((fan, thread))
    }

    /// Everything that is sent round from now on.
    pub(in crate::http) fn join(&self) -> Receiver<Arc<Frame>> {
        self.sender.subscribe()
    }
}

fn run(mut live: Live, mut encoder: Encoder, sender: &Sender<Arc<Frame>>, shutdown: &Shutdown) {
    // Nobody listening is no failure.
    let send = |frame: Frame| {
        if sender.len() >= FRAMES / 2 {
            std::thread::sleep(PACE);
        }
        let _ = sender.send(Arc::new(frame));
    };
    while !shutdown.is_triggered() {
        let news = live.next(TICK);
        if sender.receiver_count() == 0 && !matches!(news, News::Ended) {
            continue;
        }
        match news {
            News::Idle => {}
            News::Ended => return,
            News::Anew => send(Frame::Anew),
            News::Missed(events) => send(Frame::Missed(events)),
            News::Portion(portion, skip) => {
                let numbered = (portion.first..).zip(&portion.batch.events);
                for (seq, event) in numbered.skip(skip) {
                    if encoder.push(seq, &portion.batch, event)
                        && let Some(full) = encoder.take()
                    {
                        send(Frame::Events(full));
                    }
                }
                if let Some(rest) = encoder.take() {
                    send(Frame::Events(rest));
                }
            }
        }
    }
}
