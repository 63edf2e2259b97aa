//! One output stream: the event that is open on it, and the lines behind it whose place only a later line tells.

use super::judge::{self, Step};
use super::open::Open;
use super::piece::Pieces;
use super::saved::{self, Reader, RestoreError};
use super::shape::{self, Shape};
use super::{Limits, Span};
use crate::event::{EventRef, Stream, boundary};
use crate::time::Timestamp;

/// An event that keeps growing is emitted after this many times the longest wait for a line.
const MAX_AGE_WAITS: u64 = 10;

/// Capacity that a quiet stream keeps of each buffer.
const KEPT_BYTES: usize = 256;

/// A whole line on its way into an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    pub(super) cut: u64,
    pub(super) span: Span,
    pub(super) timestamp: Option<Timestamp>,
}

/// A held line: its place in the lane's buffer and what else is known of it.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: usize,
    end: usize,
    cut: u64,
    span: Span,
    timestamp: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) stream: Stream,
    pub(super) pieces: Pieces,
    /// The open event's lines, then the held ones, each after a `\n`.
    text: Vec<u8>,
    event: Option<Event>,
    held: Vec<Mark>,
    // What was held, while it is judged anew.
    spare_text: Vec<u8>,
    spare_held: Vec<Mark>,
    opened_ms: u64,
    last_ms: u64,
}

/// The open event without the lines held behind it.
#[derive(Debug)]
struct Event {
    open: Open,
    /// Its bytes at the start of the lane's buffer.
    len: usize,
    lines: u32,
    cut: u64,
    span: Span,
    timestamp: Option<Timestamp>,
    last_timestamp: Option<Timestamp>,
}

impl Lane {
    pub(super) fn touch(&mut self, now_ms: u64) {
        if !self.is_open() {
            self.opened_ms = now_ms;
        }
        self.last_ms = now_ms;
    }

    pub(super) fn deadline_ms(&self, limits: &Limits) -> Option<u64> {
        let age = limits.max_wait_ms.saturating_mul(MAX_AGE_WAITS);
        let aged = self.opened_ms.saturating_add(age);
        self.is_open().then(|| {
            if self.pieces.is_open() {
                // A next line may come or not; of a piece the runtime has said that there is more, perhaps in the next file.
                aged
            } else {
                self.last_ms.saturating_add(limits.max_wait_ms).min(aged)
            }
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.open_parts() != 0
    }

    pub(super) fn open_from(&self) -> Option<u64> {
        let event = self.event.as_ref().map(|event| event.span.start);
        event.into_iter().chain(self.pieces.start()).min()
    }

    /// The pieces make a whole line.
    pub(super) fn whole(&mut self, limits: &Limits, emit: &mut dyn FnMut(EventRef<'_>)) {
        let (text, cut, span, timestamp) = self.pieces.take();
        let line = Line {
            text: &text,
            cut,
            span,
            timestamp,
        };
        self.line(line, limits, emit);
        self.pieces.reuse(text);
    }

    /// Emits everything that is open or held.
    pub(super) fn close(&mut self, limits: &Limits, emit: &mut dyn FnMut(EventRef<'_>)) {
        let partial = self.pieces.is_open();
        if partial {
            // Without joins the piece would go at once, without its flag.
            let joining = Limits {
                multiline: true,
                ..*limits
            };
            self.whole(if limits.multiline { limits } else { &joining }, emit);
        }
        self.release(limits, emit);
        self.flush(partial, emit);
        // Nothing is open any more, and thousands of quiet streams must not keep what their longest event took.
        self.text.clear();
        self.text.shrink_to(KEPT_BYTES);
        self.spare_text.shrink_to(KEPT_BYTES);
        self.pieces.shrink_to(KEPT_BYTES);
    }

    /// Takes the next whole line.
    pub(super) fn line(
        &mut self,
        mut line: Line<'_>,
        limits: &Limits,
        emit: &mut dyn FnMut(EventRef<'_>),
    ) {
        if line.text.len() > limits.max_bytes {
            let kept = boundary(line.text, limits.max_bytes);
            line.cut = line.cut.saturating_add((line.text.len() - kept) as u64);
            line.text = &line.text[..kept];
        }
        if !limits.multiline {
            // Open here only where joins were on before.
            if self.event.is_some() {
                self.release(limits, emit);
                self.flush(false, emit);
            }
            emit(EventRef {
                timestamp: line.timestamp,
                stream: self.stream,
                text: line.text,
                lines: 1,
                cut_bytes: line.cut,
                partial: false,
                start: line.span.start,
                end: line.span.end,
            });
            return;
        }
        if let Some(event) = &self.event {
            if self.held.is_empty()
                && event.open.is_plain()
                && matches!(line.text.first(), Some(b'0'..=b'9'))
            {
                // By far the commonest line: it begins with a digit and nothing waits for such a one.
                self.flush(false, emit);
                self.start(line, Shape::Text, emit);
                return;
            }
            let last = self
                .held
                .last()
                .map_or(event.last_timestamp, |mark| mark.timestamp);
            if later(last, line.timestamp, limits.max_wait_ms) {
                self.release(limits, emit);
                self.flush(false, emit);
            }
        }
        let shape = shape::of(line.text);
        self.place(line, shape, true, limits, emit);
    }

    /// Joins the line, holds it, or begins an event with it. Held lines are placed again without holding.
    fn place(
        &mut self,
        line: Line<'_>,
        shape: Shape,
        may_hold: bool,
        limits: &Limits,
        emit: &mut dyn FnMut(EventRef<'_>),
    ) {
        // A second round only after held lines were let go; then nothing is held.
        for _ in 0..2 {
            let Some(event) = &mut self.event else {
                break;
            };
            match judge::judge(&mut event.open, &self.text[..event.len], line.text, shape) {
                Step::Join => {
                    self.join(line, shape, limits, emit);
                    return;
                }
                Step::Hold if may_hold && self.fits(line.text.len(), limits) => {
                    self.hold(line, shape);
                    return;
                }
                Step::Hold | Step::Begin => {
                    if self.held.is_empty() {
                        self.flush(false, emit);
                    } else {
                        self.release(limits, emit);
                    }
                }
            }
        }
        self.flush(false, emit);
        self.start(line, shape, emit);
    }

    fn fits(&self, len: usize, limits: &Limits) -> bool {
        let lines = self.event.as_ref().map_or(0, |event| event.lines) as usize + self.held.len();
        lines < limits.max_lines as usize && self.text.len() + 1 + len <= limits.max_bytes
    }

    fn start(&mut self, line: Line<'_>, shape: Shape, emit: &mut dyn FnMut(EventRef<'_>)) {
        self.begin(line, Open::new(line.text, shape));
        // Nothing continues an empty line.
        if shape == Shape::Blank {
            self.flush(false, emit);
        }
    }

    fn begin(&mut self, line: Line<'_>, open: Open) {
        self.opened_ms = self.last_ms;
        self.text.clear();
        self.text.extend_from_slice(line.text);
        self.event = Some(Event {
            open,
            len: line.text.len(),
            lines: 1,
            cut: line.cut,
            span: line.span,
            timestamp: line.timestamp,
            last_timestamp: line.timestamp,
        });
    }

    /// Takes the held lines and this one into the open event, or begins the event's next part where a cap is reached.
    fn join(
        &mut self,
        line: Line<'_>,
        shape: Shape,
        limits: &Limits,
        emit: &mut dyn FnMut(EventRef<'_>),
    ) {
        let fits = self.fits(line.text.len(), limits);
        let Some(event) = &mut self.event else { return };
        if let Some(last) = self.held.last() {
            event.lines = event.lines.saturating_add(self.held.len() as u32);
            for mark in &self.held {
                event.cut = event.cut.saturating_add(mark.cut);
            }
            event.span.end = last.span.end;
            event.last_timestamp = last.timestamp;
            event.len = self.text.len();
            self.held.clear();
        }
        event.open.joined(&self.text, line.text, shape);
        if !fits {
            let open = event.open.next_part();
            self.flush(false, emit);
            self.begin(line, open);
            return;
        }
        self.text.push(b'\n');
        self.text.extend_from_slice(line.text);
        event.open.last_line_at(event.len + 1);
        event.len = self.text.len();
        event.lines = event.lines.saturating_add(1);
        event.cut = event.cut.saturating_add(line.cut);
        event.span.end = line.span.end;
        event.last_timestamp = line.timestamp;
    }

    fn hold(&mut self, line: Line<'_>, shape: Shape) {
        let Some(event) = &mut self.event else { return };
        event.open.held(line.text, shape);
        self.keep(line);
    }

    fn keep(&mut self, line: Line<'_>) {
        self.text.push(b'\n');
        let at = self.text.len();
        self.text.extend_from_slice(line.text);
        self.held.push(Mark {
            at,
            end: self.text.len(),
            cut: line.cut,
            span: line.span,
            timestamp: line.timestamp,
        });
    }

    /// Lets the open event go without the held lines, and places those anew: the last of them stays open.
    fn release(&mut self, limits: &Limits, emit: &mut dyn FnMut(EventRef<'_>)) {
        if self.held.is_empty() {
            return;
        }
        let mut held = std::mem::take(&mut self.spare_held);
        std::mem::swap(&mut held, &mut self.held);
        self.flush(false, emit);
        let mut text = std::mem::take(&mut self.spare_text);
        std::mem::swap(&mut text, &mut self.text);
        for mark in &held {
            let line = Line {
                text: &text[mark.at..mark.end],
                cut: mark.cut,
                span: mark.span,
                timestamp: mark.timestamp,
            };
            self.place(line, shape::of(line.text), false, limits, emit);
        }
        held.clear();
        text.clear();
        self.spare_held = held;
        self.spare_text = text;
    }

    /// Emits the open event. Nothing may be held.
    fn flush(&mut self, partial: bool, emit: &mut dyn FnMut(EventRef<'_>)) {
        if let Some(event) = self.event.take() {
            emit(EventRef {
                timestamp: event.timestamp,
                stream: self.stream,
                text: &self.text[..event.len],
                lines: event.lines,
                cut_bytes: event.cut,
                partial,
                start: event.span.start,
                end: event.span.end,
            });
        }
    }
}

/// What a restart keeps.
impl Lane {
    /// Bit 0: an event is open; bit 1: pieces are.
    pub(super) fn open_parts(&self) -> u8 {
        u8::from(self.event.is_some()) | u8::from(self.pieces.is_open()) << 1
    }

    /// Writes the parts that are open.
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        if let Some(event) = &self.event {
            saved::put_text(out, &self.text[..event.len]);
            event.open.save(out);
            saved::put(out, event.lines.into());
            saved::put(out, event.cut);
            saved::put_span(out, event.span);
            saved::put_time(out, event.timestamp);
            saved::put_time(out, event.last_timestamp);
            saved::put(out, self.held.len() as u64);
            for mark in &self.held {
                saved::put_text(out, &self.text[mark.at..mark.end]);
                saved::put(out, mark.cut);
                saved::put_span(out, mark.span);
                saved::put_time(out, mark.timestamp);
            }
        }
        if self.pieces.is_open() {
            self.pieces.save(out);
        }
    }

    /// Reads what [`Lane::save`] wrote of these parts.
    pub(super) fn load(
        stream: Stream,
        parts: u8,
        reader: &mut Reader<'_>,
        now_ms: u64,
    ) -> Result<Self, RestoreError> {
        let mut lane = Self {
            stream,
            opened_ms: now_ms,
            last_ms: now_ms,
            ..Self::default()
        };
        if parts & 1 != 0 {
            let text = reader.text()?;
            lane.text.extend_from_slice(text);
            let event = Event {
                open: Open::load(reader, text.len())?,
                len: text.len(),
                lines: reader.small()?,
                cut: reader.number()?,
                span: reader.span()?,
                timestamp: reader.time()?,
                last_timestamp: reader.time()?,
            };
            let held: u64 = reader.number()?;
            if held != u64::from(event.open.held_lines()) {
                return Err(RestoreError::Damaged);
            }
            lane.event = Some(event);
            for _ in 0..held {
                let line = Line {
                    text: reader.text()?,
                    cut: reader.number()?,
                    span: reader.span()?,
                    timestamp: reader.time()?,
                };
                lane.keep(line);
            }
        }
        if parts & 2 != 0 {
            lane.pieces = Pieces::load(reader)?;
        }
        Ok(lane)
    }

    /// Says of all positions that they lie in the file before.
    pub(super) fn mark_carried(&mut self) {
        if let Some(event) = &mut self.event {
            saved::carry(&mut event.span);
        }
        for mark in &mut self.held {
            saved::carry(&mut mark.span);
        }
        self.pieces.mark_carried();
    }
}

/// Whether the runtime received `next` so long after `last` that it cannot go on with it. Known only where both have a time,
/// and then the same however late the lines are read.
fn later(last: Option<Timestamp>, next: Option<Timestamp>, max_wait_ms: u64) -> bool {
    let (Some(last), Some(next)) = (last, next) else {
        return false;
    };
    let gap_ms = next.0.saturating_sub(last.0) / 1_000_000;
    u64::try_from(gap_ms).is_ok_and(|gap| gap > max_wait_ms)
}
