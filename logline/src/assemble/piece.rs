//! Pieces of one line that the runtime cut: Docker's 16 KiB, CRI's `P`.

use super::Span;
use super::saved::{self, Reader, RestoreError};
use crate::event::Fragment;
use crate::time::Timestamp;

/// A line of which pieces have come and the end has not.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    text: Vec<u8>,
    cut: u64,
    span: Span,
    timestamp: Option<Timestamp>,
    open: bool,
}

impl Pieces {
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Position of the first piece's first byte.
    pub(super) fn start(&self) -> Option<u64> {
        self.open.then_some(self.span.start)
    }

    /// Adds the next piece; beyond `max_bytes` it is only counted, so that a line without end takes no more memory than that.
    pub(super) fn add(&mut self, fragment: &Fragment<'_>, span: Span, max_bytes: usize) {
        if !self.open {
            self.open = true;
            self.span = span;
            self.timestamp = fragment.timestamp;
        }
        self.span.end = span.end;
        let room = max_bytes.saturating_sub(self.text.len());
        let kept = fragment.text.len().min(room);
        self.text.extend_from_slice(&fragment.text[..kept]);
        let cut = (fragment.text.len() - kept) as u64;
        self.cut = self
            .cut
            .saturating_add(cut)
            .saturating_add(fragment.cut_bytes);
        // `\r` and `\n` are one line ending; a cut between them does not make the `\r` text.
        if !fragment.partial
            && fragment.text.is_empty()
            && self.cut == 0
            && self.text.last() == Some(&b'\r')
        {
            self.text.pop();
        }
    }

    /// Takes the line out: its text (to be given back with [`Pieces::reuse`]), the bytes cut, its place and its time.
    pub(super) fn take(&mut self) -> (Vec<u8>, u64, Span, Option<Timestamp>) {
        self.open = false;
        let cut = std::mem::take(&mut self.cut);
        (
            std::mem::take(&mut self.text),
            cut,
            self.span,
            self.timestamp,
        )
    }

    pub(super) fn reuse(&mut self, mut text: Vec<u8>) {
        text.clear();
        self.text = text;
    }

    /// Writes the line that is open.
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        saved::put_text(out, &self.text);
        saved::put(out, self.cut);
        saved::put_span(out, self.span);
        saved::put_time(out, self.timestamp);
    }

    /// Reads what [`Pieces::save`] wrote.
    pub(super) fn load(reader: &mut Reader<'_>) -> Result<Self, RestoreError> {
        Ok(Self {
            text: reader.text()?.to_vec(),
            cut: reader.number()?,
            span: reader.span()?,
            timestamp: reader.time()?,
            open: true,
        })
    }

    pub(super) fn mark_carried(&mut self) {
        saved::carry(&mut self.span);
    }

    /// Gives back memory beyond `capacity` bytes. Nothing may be open.
    pub(super) fn shrink_to(&mut self, capacity: usize) {
        self.text.shrink_to(capacity);
    }
}
