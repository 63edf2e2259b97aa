//! Joins fragments into whole lines, and lines into events.

use crate::event::{EventRef, Fragment};

/// Bounds of the joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an event that are kept; what comes beyond is cut and counted.
    pub max_bytes: usize,
    /// Lines of one event.
    pub max_lines: u32,
    /// How long an open event waits for its next line, in milliseconds.
    pub max_wait_ms: u64,
    /// Join stack traces and continuations; off, every line is an event.
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
#[derive(Debug, Default)]
pub struct Assembler {
    limits: Limits,
}

impl Assembler {
    /// An assembler with nothing open.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Takes the next fragment in the order of the source. `now_ms` is any clock that never goes back.
    /// `emit` gets every event that this completes, in order.
    pub fn push(
        &mut self,
        fragment: &Fragment<'_>,
        span: Span,
        _now_ms: u64,
        emit: &mut dyn FnMut(EventRef<'_>),
    ) {
        let _ = self.limits;
        emit(EventRef {
            timestamp: fragment.timestamp,
            stream: fragment.stream,
            text: &fragment.text,
            lines: 1,
            cut_bytes: 0,
            start: span.start,
            end: span.end,
        });
    }

    /// Emits what has waited longer than allowed at `now_ms`.
    pub fn expire(&mut self, _now_ms: u64, _emit: &mut dyn FnMut(EventRef<'_>)) {}

    /// Emits everything that is still open: the source has ended.
    pub fn finish(&mut self, _emit: &mut dyn FnMut(EventRef<'_>)) {}

    /// The moment at which [`expire`](Self::expire) has something to do, if anything is open.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        None
    }
}
