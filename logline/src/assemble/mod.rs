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
mod saved;
mod shape;
mod words;

use crate::event::{EventRef, Fragment, Stream};
use lane::{Lane, Line};
use saved::Reader;

pub use saved::RestoreError;

/// The bit that [`Assembler::mark_carried`] sets in positions: they lie in the file before, not in the present one.
///
/// Real positions stay below it, as no file has 2^63 bytes.
pub const CARRIED: u64 = 1 << 63;

/// Bounds of the joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an event that are kept. A single line beyond that is cut, which is counted; an event of several lines that
    /// would grow beyond it goes, and what follows makes an event of its own, so that nothing is lost.
    pub max_bytes: usize,
    /// Lines of one event; what follows makes an event of its own.
    pub max_lines: u32,
    /// How long an open event waits for its next line, in milliseconds. An event that keeps growing goes after ten times that,
    /// and so does a piece of a line whose rest does not come.
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

    /// Joins lines from the next one on, or no longer: what is open then goes before that line.
    pub fn set_multiline(&mut self, multiline: bool) {
        self.limits.multiline = multiline;
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

    /// Whether anything is open: pieces of a line, an event, lines held behind it. An assembler with nothing open is as good
    /// as a new one.
    #[must_use]
    pub fn has_open(&self) -> bool {
        self.stdout.is_open() || self.stderr.is_open()
    }

    /// Whether pieces of a line were pushed whose end has not come.
    #[must_use]
    pub fn has_pieces(&self) -> bool {
        self.stdout.pieces.is_open() || self.stderr.pieces.is_open()
    }

    /// Appends to `out` everything that is open, in a form that [`restore`](Self::restore) reads; nothing at all if nothing
    /// is open. Its length is that of the texts held (at most twice [`Limits::max_bytes`] for each output stream) and about
    /// 30 bytes for each event, piece and held line. The limits and the clock are not part of it.
    pub fn snapshot(&self, out: &mut Vec<u8>) {
        if !self.has_open() {
            return;
        }
        out.push(saved::VERSION);
        out.push(self.stdout.open_parts() | self.stderr.open_parts() << 2);
        self.stdout.save(out);
        self.stderr.save(out);
    }

    /// The assembler that a snapshot was taken of: what is pushed from here on makes the events that it would have made
    /// there. `bytes` must be all that [`snapshot`](Self::snapshot) appended; none make a new assembler. Waiting starts anew
    /// at `now_ms`. Limits that have become smaller hold for what comes next, not for what was already open.
    ///
    /// # Errors
    /// For a version that is not known, and for bytes that no snapshot consists of.
    pub fn restore(limits: Limits, bytes: &[u8], now_ms: u64) -> Result<Self, RestoreError> {
        let mut assembler = Self::new(limits);
        if bytes.is_empty() {
            return Ok(assembler);
        }
        let mut reader = Reader::new(bytes);
        let version = reader.byte()?;
        if version != saved::VERSION {
            return Err(RestoreError::Version(version));
        }
        let parts = reader.byte()?;
        if parts == 0 || parts > 0b1111 {
            return Err(RestoreError::Damaged);
        }
        assembler.stdout = Lane::load(Stream::Stdout, parts & 3, &mut reader, now_ms)?;
        assembler.stderr = Lane::load(Stream::Stderr, parts >> 2, &mut reader, now_ms)?;
        if !reader.is_empty() {
            return Err(RestoreError::Damaged);
        }
        Ok(assembler)
    }

    /// The source goes on in another file, as after a rotation: sets [`CARRIED`] in every position held, so that of an event
    /// that began in the file before and ends in the next one it can be told: its `start` has the bit, its `end` has not.
    /// An event that lies wholly in the file before has it in both. Further files do not add to it: the bit only says "not in
    /// the present one".
    pub fn mark_carried(&mut self) {
        self.stdout.mark_carried();
        self.stderr.mark_carried();
    }

    /// The lowest position of the source whose event has not left yet, if anything is open: a reader that starts again there,
    /// with a new assembler, misses nothing (and gives again what other events lie beyond it). Positions in a file before
    /// ([`CARRIED`]) count as the highest.
    #[must_use]
    pub fn open_from(&self) -> Option<u64> {
        let lanes = [&self.stdout, &self.stderr];
        lanes.iter().filter_map(|lane| lane.open_from()).min()
    }
}
