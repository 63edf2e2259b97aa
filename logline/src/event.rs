//! The nouns that the rooms hand to each other.

use std::borrow::Cow;

use crate::time::Timestamp;

/// The output stream of a container that a line was written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output, also where the source does not tell.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The name that container runtimes and OpenTelemetry (`log.iostream`) use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One physical line with the runtime's wrapper taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// When the container runtime received it, if the wrapper says so.
    pub timestamp: Option<Timestamp>,
    /// Which stream of the container it came from.
    pub stream: Stream,
    /// The runtime split a longer line here: the next fragment of this stream goes on.
    pub partial: bool,
    /// What the container wrote, without its line ending.
    pub text: Cow<'a, [u8]>,
    /// Bytes of it that whoever read it could not keep; 0 for a whole line.
    pub cut_bytes: u64,
}

impl Fragment<'_> {
    /// Cuts the text at `max_bytes` and counts the rest.
    pub fn cut_to(&mut self, max_bytes: usize) {
        if self.text.len() > max_bytes {
            let kept = boundary(&self.text, max_bytes);
            self.cut_bytes += (self.text.len() - kept) as u64;
            match &mut self.text {
                Cow::Borrowed(text) => *text = &text[..kept],
                Cow::Owned(text) => text.truncate(kept),
            }
        }
    }
}

/// One or more lines that belong together, borrowed from the assembler's buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRef<'a> {
    /// The runtime's time of the first line.
    pub timestamp: Option<Timestamp>,
    /// Which stream of the container it came from.
    pub stream: Stream,
    /// The lines, joined with `\n`, without a final line ending.
    pub text: &'a [u8],
    /// How many lines were joined; at least 1.
    pub lines: u32,
    /// Bytes cut off because a bound was reached; 0 for a whole event.
    pub cut_bytes: u64,
    /// The last line is a piece whose rest had not come when the event had to go.
    pub partial: bool,
    /// Position of the first byte of the event in its source.
    pub start: u64,
    /// Position just after the last byte of the event in its source.
    pub end: u64,
}

/// The largest cut at or below `max` that does not part a UTF-8 character.
pub(crate) fn boundary(text: &[u8], max: usize) -> usize {
    let is_start = |at: &usize| text[*at] & 0xC0 != 0x80;
    (max.saturating_sub(3)..=max)
        .rev()
        .find(is_start)
        .unwrap_or(max)
}
