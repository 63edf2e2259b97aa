//! Joins fragments into whole lines, and lines into events.
//!
//! The runtime's pieces of one long line are put together first (`piece`), each output stream for itself. Every whole line
//! then has a shape (`shape`) that its first bytes tell, and with the state of the event that is open on its stream the
//! shape decides (`judge`) whether the line goes on with that event, begins the next, or has to be held until a later line
//! tells (`lane`). A line with a head of its own (`head`: a time, a level) always begins an event.

mod block;
mod code;
mod head;
mod judge;
mod lane;
mod open;
mod piece;
mod shape;
mod words;

use crate::event::{EventRef, Fragment, Stream};
use lane::{Lane, Line};

/// Bounds of the joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an event that are kept. A single line beyond that is cut, which is counted; an event of several lines that
    /// would grow beyond it goes, and what follows makes an event of its own, so that nothing is lost.
    pub max_bytes: usize,
    /// Lines of one event; what follows makes an event of its own.
    pub max_lines: u32,
    /// How long an open event waits for its next line, in milliseconds. An event that keeps growing goes after ten times that.
    pub max_wait_ms: u64,
    /// Join stack traces and continuations; off, every line is an event (pieces are joined all the same).
    pub multiline: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 64 * 1024,
            max_lines: 1_000,
            max_wait_ms: 1_000,
            multiline: true,
        }
    }
}

/// Where a fragment lies in its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Position of its first byte.
    pub start: u64,
    /// Position after its last byte, line ending included.
    pub end: u64,
}

/// The joins of ONE source (file, container); standard output and standard error are kept apart inside.
///
/// Every line that enters leaves in exactly one event, empty lines too. The events of one output stream leave in order. What
/// belongs together does not depend on when the lines arrive as long as nobody calls [`expire`](Self::expire) between them:
/// call it when the source has nothing more to give at the moment, not while a backlog is read.
#[derive(Debug, Default)]
pub struct Assembler {
    limits: Limits,
    stdout: Lane,
    stderr: Lane,
}

impl Assembler {
    /// An assembler with nothing open.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Takes the next fragment in the order of the source. `now_ms` is any clock that never goes back.
    /// `emit` gets every event that this completes, in order.
    pub fn push(
        &mut self,
        fragment: &Fragment<'_>,
        span: Span,
        now_ms: u64,
        emit: &mut dyn FnMut(EventRef<'_>),
    ) {
        let limits = &self.limits;
        let lane = match fragment.stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        lane.stream = fragment.stream;
        lane.touch(now_ms);
        if fragment.partial || lane.pieces.is_open() {
            lane.pieces.add(fragment, span, limits.max_bytes);
            if !fragment.partial {
                lane.whole(limits, emit);
            }
            return;
        }
        let line = Line {
            text: &fragment.text,
            cut: fragment.cut_bytes,
            span,
            timestamp: fragment.timestamp,
        };
        lane.line(line, limits, emit);
    }

    /// Emits what has waited longer than allowed at `now_ms`.
    pub fn expire(&mut self, now_ms: u64, emit: &mut dyn FnMut(EventRef<'_>)) {
        for lane in [&mut self.stdout, &mut self.stderr] {
            if lane
                .deadline_ms(&self.limits)
                .is_some_and(|at| at <= now_ms)
            {
                lane.close(&self.limits, emit);
            }
        }
    }

    /// Emits everything that is still open: the source has ended.
    pub fn finish(&mut self, emit: &mut dyn FnMut(EventRef<'_>)) {
        for lane in [&mut self.stdout, &mut self.stderr] {
            lane.close(&self.limits, emit);
        }
    }

    /// The moment at which [`expire`](Self::expire) has something to do, if anything is open.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        let lanes = [&self.stdout, &self.stderr];
        lanes
            .iter()
            .filter_map(|lane| lane.deadline_ms(&self.limits))
            .min()
    }

    /// The lowest position of the source whose event has not left yet, if anything is open: a reader that starts again there,
    /// with a new assembler, misses nothing (and gives again what other events lie beyond it).
    #[must_use]
    pub fn open_from(&self) -> Option<u64> {
        let lanes = [&self.stdout, &self.stderr];
        lanes.iter().filter_map(|lane| lane.open_from()).min()
    }
}
