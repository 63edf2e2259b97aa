//! One open stream: what was read of it and has not become an event yet.

use std::sync::Arc;

use logline::assemble::{Assembler, Limits, Span};
use logline::decode::Wrapper;
use logline::event::EventRef;
use tracing::warn;

use super::StreamInfo;
use super::cursor::{Cursor, Place, Tally};
use super::lines::Splitter;
use crate::source::{Closed, Origin, SourceId, docker, files};

/// What is known of a stream when it is opened.
#[derive(Debug)]
pub struct Opening {
    /// Its name and who writes it.
    pub info: StreamInfo,
    /// What it is read from; an offset is told by the first bytes.
    pub place: Place,
    /// How its lines are wrapped.
    pub wrapper: Wrapper,
    /// The file of an earlier run's cursor that it goes on from.
    pub resumed: Option<files::Identity>,
    /// The stream that had its name before a rotation.
    pub follows: Option<SourceId>,
}

impl Opening {
    /// A stream that follows no other.
    #[must_use]
    pub fn new(info: StreamInfo, place: Place, wrapper: Wrapper) -> Self {
        Self {
            info,
            place,
            wrapper,
            resumed: None,
            follows: None,
        }
    }
}

/// A stream that may still give bytes, or that has ended with a line in pieces.
pub(super) struct OpenStream {
    pub(super) info: Arc<StreamInfo>,
    pub(super) wrapper: Wrapper,
    pub(super) splitter: Splitter,
    pub(super) assembler: Assembler,
    pub(super) follows: Option<SourceId>,
    /// Where reading would go on; for files the position after the last byte taken.
    pub(super) place: Place,
    pub(super) ended: Option<Closed>,
    pub(super) tally: Tally,
    /// Whole lines that have become no event yet.
    pub(super) open_lines: u64,
    /// The rules that it asks for; none: everybody's.
    pub(super) pack: Option<usize>,
    /// Its cursor is to be written anew.
    pub(super) touched: bool,
    pub(super) begun: bool,
    ends_in_a_half_line: bool,
    limits: Limits,
}

/// What of a stream one line needs.
pub(super) struct Parts<'a> {
    pub(super) info: &'a Arc<StreamInfo>,
    pub(super) wrapper: Wrapper,
    /// The rules that it asks for; none: everybody's.
    pub(super) pack: Option<usize>,
    /// None: every line is an event of its own.
    pub(super) assembler: Option<&'a mut Assembler>,
    pub(super) tally: &'a mut Tally,
    pub(super) open_lines: &'a mut u64,
}

impl Parts<'_> {
    /// Counts a line, unless it is a piece that does not end one.
    pub(super) fn line(&mut self, whole: bool) {
        self.tally.lines += i64::from(whole);
        *self.open_lines += u64::from(whole);
    }

    /// Counts an event.
    pub(super) fn event(&mut self, event: &EventRef<'_>) {
        if event.partial {
            // A piece without its end is a line now.
            self.line(true);
        }
        self.tally.events += 1;
        self.tally.cut_bytes += event.cut_bytes;
        *self.open_lines = self.open_lines.saturating_sub(event.lines.into());
    }
}

impl OpenStream {
    pub(super) fn new(opening: Opening, limits: &Limits) -> Self {
        let Opening {
            info,
            place,
            wrapper,
            resumed: _,
            follows,
        } = opening;
        let limits = Limits {
            multiline: info.origin.switches.multiline.unwrap_or(limits.multiline),
            ..*limits
        };
        Self {
            info: Arc::new(info),
            wrapper,
            splitter: Splitter::new(limits.max_bytes),
            assembler: Assembler::new(limits),
            follows,
            place,
            ended: None,
            tally: Tally::default(),
            open_lines: 0,
            pack: None,
            touched: false,
            begun: false,
            ends_in_a_half_line: false,
            limits,
        }
    }

    /// A stream of an earlier run that gives no more bytes.
    pub(super) fn of(cursor: &Cursor, limits: &Limits, now_ms: u64) -> Self {
        let info = StreamInfo {
            id: cursor.stream.id.clone(),
            origin: Arc::clone(&cursor.stream.origin),
        };
        let opening = Opening::new(info, cursor.place, Wrapper::Auto);
        let mut stream = Self::new(opening, limits);
        stream.go_on(cursor, now_ms);
        stream.ended = cursor.ended.or(Some(Closed::Vanished));
        stream
    }

    /// Takes up what an earlier run left, its name for the events among it.
    pub(super) fn go_on(&mut self, cursor: &Cursor, now_ms: u64) {
        let mut origin = Origin::clone(&self.info.origin);
        origin.remember(&cursor.stream.origin);
        self.info = Arc::new(StreamInfo {
            id: cursor.stream.id.clone(),
            origin: Arc::new(origin),
        });
        self.begun = true;
        self.place = match (self.place, cursor.place) {
            // The file may have grown since: it is known by more of its beginning now.
            (Place::File { file, .. }, Place::File { offset, seam, .. }) => {
                Place::File { file, offset, seam }
            }
            (_, place) => place,
        };
        match Assembler::restore(self.limits, &cursor.open, now_ms) {
            Ok(assembler) => {
                self.assembler = assembler;
                self.open_lines = cursor.open_lines;
            }
            Err(error) => {
                warn!(stream = %cursor.stream.id, %error, lines = cursor.open_lines, "what was unfinished at the last stop cannot be read; its lines are missing");
            }
        }
    }

    /// Another name for the events to come.
    pub(super) fn rename(&mut self, id: String) {
        self.info = Arc::new(StreamInfo {
            id,
            origin: Arc::clone(&self.info.origin),
        });
    }

    /// More is known of who writes it: its events to come say so. `joins` where its origin says nothing of that.
    pub(super) fn describe(&mut self, origin: Arc<Origin>, joins: bool) {
        self.limits.multiline = origin.switches.multiline.unwrap_or(joins);
        self.assembler.set_multiline(self.limits.multiline);
        self.info = Arc::new(StreamInfo {
            id: self.info.id.clone(),
            origin,
        });
    }

    /// Nothing has come of it, neither in this run nor before.
    pub(super) fn is_fresh(&self) -> bool {
        !self.begun
    }

    /// Says that the cursor is to be written anew; true where that was not so already.
    pub(super) fn touch(&mut self) -> bool {
        !std::mem::replace(&mut self.touched, true)
    }

    /// Bytes of a file or of standard input were taken.
    pub(super) fn took(&mut self, from: u64, bytes: &[u8]) {
        self.tally.bytes += bytes.len() as u64;
        if let Place::File { offset, seam, .. } = &mut self.place {
            *offset = from + bytes.len() as u64;
            self.ends_in_a_half_line = bytes.last() != Some(&b'\n');
            // A later run begins after the last whole line.
            if let Some(end) = memchr::memrchr(b'\n', bytes) {
                *seam = Some(files::Marker::before(&bytes[..=end]));
            }
        }
    }

    /// A frame of the engine was taken.
    pub(super) fn took_frame(&mut self, position: docker::Position, count: usize) {
        self.begun = true;
        self.tally.bytes += count as u64;
        self.place = Place::Docker(position);
    }

    /// Goes on with what the file before the rotation left open: its lines are lines of this stream from here on.
    /// Gives whether there was anything.
    pub(super) fn take_over(&mut self, before: &mut Self) -> bool {
        // A half line there is still to come to its end, before what it follows may go anywhere.
        if !before.assembler.has_open() || before.splitter.is_holding() {
            return false;
        }
        self.assembler = std::mem::replace(&mut before.assembler, Assembler::new(self.limits));
        self.assembler.mark_carried();
        let lines = std::mem::take(&mut before.open_lines);
        self.open_lines += lines;
        let lines = i64::try_from(lines).unwrap_or(i64::MAX);
        self.tally.lines += lines;
        before.tally.lines -= lines;
        true
    }

    /// The assembler, and what its events need.
    pub(super) fn held(&mut self) -> (&mut Assembler, Parts<'_>) {
        let parts = Parts {
            info: &self.info,
            wrapper: self.wrapper,
            pack: self.pack,
            assembler: None,
            tally: &mut self.tally,
            open_lines: &mut self.open_lines,
        };
        (&mut self.assembler, parts)
    }

    /// What one line needs, beside the splitter that gives it out.
    pub(super) fn parts(&mut self, join: bool) -> (&mut Splitter, Parts<'_>) {
        let parts = Parts {
            info: &self.info,
            wrapper: self.wrapper,
            pack: self.pack,
            assembler: join.then_some(&mut self.assembler),
            tally: &mut self.tally,
            open_lines: &mut self.open_lines,
        };
        (&mut self.splitter, parts)
    }

    /// Where the stream stands now; what was counted begins anew.
    pub(super) fn cursor(&mut self) -> Cursor {
        self.touched = false;
        let mut open = Vec::new();
        self.assembler.snapshot(&mut open);
        let mut place = self.place;
        if let Place::File { offset, seam, .. } = &mut place {
            match self.splitter.held_from() {
                // The beginning of a half line is read again.
                Some(from) => *offset = from,
                // A half line at the end became an event: the seam is that of the line before it.
                None if self.ends_in_a_half_line => *seam = None,
                None => {}
            }
        }
        Cursor {
            stream: Arc::clone(&self.info),
            place,
            open,
            open_lines: self.open_lines,
            // What others send may never come again, and nobody says so: it may be forgotten like what has ended.
            ended: match self.ended {
                None if self.info.origin.kind.is_received() => Some(Closed::End),
                ended => ended,
            },
            kept_at: None,
            tally: std::mem::take(&mut self.tally),
        }
    }
}

/// The engine's streams have no byte offsets; the frame's time and its number among equal ones grow like one.
pub(super) fn span_of(position: docker::Position) -> Span {
    // One container writes hardly two frames in one nanosecond, and equal ones are told apart.
    let start = u64::try_from(position.last_ns).unwrap_or_default() + u64::from(position.repeats);
    Span {
        start,
        end: start + 1,
    }
}
